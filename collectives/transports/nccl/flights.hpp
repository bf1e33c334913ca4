// Groups in device memory that are under way, each with the event behind it. All of it is pooled: in the steady state
// nothing is allocated or created. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "collectives/transport.hpp"
#include "kernels/cuda/bell.hpp"
#include "kernels/cuda/event.hpp"

namespace tw::nccl {

/// One group, for its Request. Outlives the transport if its request does; what was not done then never is.
class Flight final : public Request::State {
 public:
  explicit Flight(std::uint32_t device) : event_(device) {}

  /// Throws what has gone wrong, as every call of the transport then does.
  bool done() const override;
  bool started() const override { return started_; }
  std::size_t received_bytes(std::size_t op) const override { return bytes[op]; }
  void join(const Exec& exec) const override;

  std::vector<std::size_t> bytes;    ///< by op: the size of a receive, 0 of a send
  std::vector<std::uint32_t> peers;  ///< whom it depends on

 private:
  friend class Flights;
  enum class Stage : std::uint8_t { idle, starting, flying, landed, lost };
  bool under_way() const { return stage_ == Stage::starting || stage_ == Stage::flying; }

  mutable Stage stage_ = Stage::idle;
  bool started_ = false;
  void* stream_ = nullptr;
  cuda::Event event_;
  const std::function<bool(const cuda::Event&)>* landed_ = nullptr;  // of its Flights, while flying
};

class Flights {
 public:
  /// `landed` says whether the event behind a group is reached, and throws if what is done may be wrong.
  Flights(Transport& sleeper, std::uint32_t device, std::function<bool(const cuda::Event&)> landed)
      : sleeper_(sleeper), device_(device), landed_(std::move(landed)) {}
  ~Flights() { lose(); }
  Flights(const Flights&) = delete;
  Flights& operator=(const Flights&) = delete;

  /// An idle flight without ops and peers.
  std::shared_ptr<Flight> take();
  /// This flight will be put onto the stream of `exec`. One at a time.
  void begin(Flight& flight, const Exec& exec);
  /// The one that will be; null if there is none.
  const Flight* starting() const { return starting_; }
  /// It is there: what was enqueued on its stream up to now is its. Throws CudaError.
  void launch();

  /// This flight has nothing to wait for.
  void skip(Flight& flight);

  /// True if a flight has landed that was not known to. Throws as Flight::done.
  bool look();
  /// Whether any is starting or flying.
  bool any() const { return starting_ != nullptr || !flying_.empty(); }
  /// The peers of all of these, each once; valid until the next call.
  std::span<const std::uint32_t> peers();
  /// Wakes the sleeper when a flight of any stream lands. Throws CudaError.
  void arm();
  /// What is under way will never be done: the communicator is gone.
  void lose() noexcept;
  /// Flights, and with them events, that exist.
  std::size_t pooled() const { return pool_.size(); }

 private:
  struct Lane {
    void* stream;
    std::unique_ptr<cuda::Bell> bell;
  };
  cuda::Bell& bell_of(void* stream);
  void forget_landed();

  Transport& sleeper_;
  const std::uint32_t device_;
  const std::function<bool(const cuda::Event&)> landed_;
  std::vector<std::shared_ptr<Flight>> pool_;
  Flight* starting_ = nullptr;
  std::vector<Flight*> flying_;  // in the order of launching; some may have landed unseen
  std::vector<Lane> lanes_;      // by stream: what runs in one lands in order
  std::vector<std::uint32_t> peers_;
};

}  // namespace tw::nccl
