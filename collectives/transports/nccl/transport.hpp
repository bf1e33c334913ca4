// The transport that connect_nccl makes: an NCCL communicator beside a control transport.
#pragma once

#include <optional>

#include <tightwire/connect.hpp>

#include "collectives/failure.hpp"
#include "collectives/transports/nccl/comm.hpp"
#include "collectives/transports/nccl/flights.hpp"
#include "collectives/transports/nccl/watch.hpp"

namespace tw::nccl {

struct Place {
  std::uint32_t device;     ///< CUDA's number
  double deadline_seconds;  ///< for the peers' part of a group to be posted
};

class NcclTransport final : public Transport {
 public:
  NcclTransport(TransportPtr control, const Api& api, Place place);
  /// In good order where nothing is under way: the others may be waited for, but not for long.
  ~NcclTransport() override;

  /// Makes the communicator. Collective. Throws PeerError that names a rank which does not come, NcclError.
  void join(const ncclUniqueId& id, Deadline deadline);

  std::string_view name() const override { return "nccl"; }
  std::uint32_t rank() const override { return control_->rank(); }
  std::uint32_t ranks() const override { return control_->ranks(); }
  Caps caps() const override;
  Request post(const Exec& exec, std::span<const Op> ops) override;
  Request all_reduce_sum(const Exec& exec, std::span<float> values) override;
  void progress(Deadline until) override;
  void wake() override { control_->wake(); }
  std::optional<std::uint32_t> silent_peer() const override { return control_->silent_peer(); }
  void abort(std::uint32_t culprit, std::string_view reason) noexcept override;
  /// Events that exist, for tests: they are pooled.
  std::size_t events() const { return flights_.pooled(); }

 private:
  template <class Call>
  auto guarded(const Call& call);
  bool has_landed(const cuda::Event& event);
  void check_turn(const Exec& exec) const;
  void check_present(std::uint32_t peer) const;
  void check_group(const Exec& exec, std::span<const Op> ops) const;
  void check_own_messages(std::span<const Op> ops) const;
  std::shared_ptr<Flight> take_flight(std::span<const Op> ops);
  void enqueue(const Exec& exec, std::span<const Op> ops);
  Request begin(const Exec& exec, std::shared_ptr<Flight> flight);
  bool start();
  Deadline sleep_with_flights(Deadline until);
  void pause(std::uint32_t polls, Deadline deadline);
  [[noreturn]] void throw_overdue(std::span<const std::uint32_t> peers) const;
  [[noreturn]] void throw_unjoined(std::span<const Request> greetings) const;
  void fail();
  void tell(std::uint32_t culprit, std::string_view reason) noexcept;
  void name_culprit();
  void leave();

  TransportPtr control_;
  const Place place_;
  std::vector<std::uint32_t> everyone_, others_;  // all ranks; but this one
  Comm comm_;
  Watch watch_;
  Flights flights_;
  Deadline start_by_{Deadline::Clock::time_point()};  // the group that is starting
  std::uint32_t polls_ = 0;                           // of it
  bool told_ = false;                                 // the others, of the end
  bool due_ = false;                                  // progress owes a return at once
  std::optional<Failure> failure_;                    // thrown again by every call
};

}  // namespace tw::nccl
