// The communicator's thread: it alone drives the transport, advances operations, encodes and decodes. Callers submit
// operations and wait for their tickets; while nothing arrives the thread sleeps inside the transport.
//
// The first failure ends the engine: every ticket, present and future, fails with it, and the other ranks are told.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <tightwire/connect.hpp>
#include <tightwire/deadline.hpp>

#include "collectives/algorithm.hpp"
#include "collectives/failure.hpp"
#include "collectives/group.hpp"
#include "kernels/cuda/device.hpp"

namespace tw {

/// The fate of a submitted operation. Shared by its waiters and the engine.
class Ticket {
 public:
  bool done() const { return done_.load(std::memory_order_acquire); }

 private:
  friend class Engine;
  std::atomic<bool> done_ = false;
  std::optional<Failure> failure_;       // written before done_
  const cuda::Event* result_ = nullptr;  // of the operation, from when it is enqueued
};

/// How the caller's waits divide by what the communicator's thread did meanwhile.
struct WaitedSeconds {
  double encode = 0;
  double decode = 0;
  double comm = 0;
};

class Engine {
 public:
  /// Starts the thread. `place` says where gradients lie. `log` may be empty; it is called on that thread, and what it
  /// throws is lost.
  Engine(TransportPtr transport, const Exec& place, std::function<void(const std::string&)> log);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  std::uint32_t rank() const { return rank_; }
  std::uint32_t ranks() const { return ranks_; }
  const Counters& counters() const { return group_.counters; }
  /// For what is set up before anything is submitted; later only `run` may touch it.
  Group& group() { return group_; }

  /// Ends the thread; operations under way fail, here and on the other ranks. Nothing may be submitted afterwards.
  void stop() noexcept;

  /// Hands an operation to the thread. Operations advance in the order in which they were submitted.
  std::shared_ptr<Ticket> submit(std::shared_ptr<Operation> operation);
  /// Blocks until the operation is complete. Throws what the engine failed with; at the deadline that is a PeerError
  /// which names the rank and what was waited for, and the engine is at its end.
  void wait(const std::shared_ptr<Ticket>& ticket, Deadline deadline);
  /// What is enqueued with `exec`, which works on a device, comes after what the operation makes there. Blocks until
  /// that is enqueued, or complete where the host makes it. Throws as `wait`.
  void join(const std::shared_ptr<Ticket>& ticket, const Exec& exec, Deadline deadline);
  /// Runs `call` on the thread, after whatever it is doing, and waits.
  void run(std::function<void(Group&)> call);
  /// Ends the engine with this failure, unless it has ended already.
  void fail(Failure failure);
  /// On the thread: inside `run` or an operation.
  void log(const std::string& text) const noexcept;
  /// While set, failures are marked uncertain: other ranks may have gone on. Set inside `run` or an operation.
  void set_voted(bool voted) { voted_.store(voted, std::memory_order_relaxed); }

  WaitedSeconds waited() const { return waited_; }

 private:
  struct Active {
    std::shared_ptr<Operation> operation;
    std::shared_ptr<Ticket> ticket;
  };
  enum class Orders : std::uint8_t { go_on, stop };
  enum class Until : std::uint8_t { enqueued, done };
  struct Awaited {
    std::shared_ptr<Ticket> ticket;
    Until until;
    bool is_here() const { return ticket->done() || (until == Until::enqueued && ticket->result_ != nullptr); }
  };

  void make_device_current(std::optional<cuda::CurrentDevice>& current) const noexcept;
  void loop();
  Orders take_orders();
  bool advance_all();
  void complete(const std::shared_ptr<Ticket>& ticket);
  void announce(const Active& active);
  void give_up(Failure failure);
  void fail_all(Failure failure);
  void wait(const Awaited& awaited, Deadline deadline);
  [[noreturn]] void throw_overdue(const Ticket& ticket);
  Operation::Wait blamed(const Operation& overdue) const;
  void add_waited(double seconds, double encode_before, double decode_before);

  TransportPtr transport_;
  const std::uint32_t rank_, ranks_;
  const Exec place_;
  Group group_;
  std::list<Active> active_;  // of the thread alone
  std::function<void(const std::string&)> log_;
  std::atomic<bool> voted_ = false;
  WaitedSeconds waited_;  // of the caller alone

  std::mutex mutex_;  // guards what follows and every ticket's failure
  std::condition_variable changed_;
  std::vector<Active> submitted_;
  std::optional<Awaited> overdue_;
  std::optional<Failure> requested_failure_;
  std::optional<Failure> failure_;
  bool stopping_ = false;

  std::thread thread_;  // last: it uses all of the above
};

}  // namespace tw
