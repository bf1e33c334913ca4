// What transports round another transport share: forwarding, the inner transport of a spec, and groups whose ops are
// posted below one by one, when the wrapper sees fit.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "collectives/transport.hpp"
#include "collectives/transports/table.hpp"

namespace tw {

/// What is left of `caps` where ops are held back, copied or posted one by one: nothing of device memory.
Caps host_caps(Caps caps);

/// Forwards everything; a wrapper overrides what it changes.
class TransportWrapper : public Transport {
 public:
  /// `narrow` says what is left of the inner transport's caps; null: all.
  explicit TransportWrapper(TransportPtr inner, Caps (*narrow)(Caps) = nullptr)
      : inner_(std::move(inner)),
        rank_(inner_->rank()),
        ranks_(inner_->ranks()),
        caps_(narrow == nullptr ? inner_->caps() : narrow(inner_->caps())) {}

  std::uint32_t rank() const final { return rank_; }
  std::uint32_t ranks() const final { return ranks_; }
  Caps caps() const final { return caps_; }
  Request post(const Exec& exec, std::span<const Op> ops) override { return inner_->post(exec, ops); }
  Request all_reduce_sum(const Exec& exec, std::span<float> values) override {
    return caps_.device_sums ? inner_->all_reduce_sum(exec, values) : Transport::all_reduce_sum(exec, values);
  }
  void progress(Deadline until) override { inner_->progress(until); }
  void wake() override { inner_->wake(); }
  std::optional<std::uint32_t> silent_peer() const override { return inner_->silent_peer(); }
  void abort(std::uint32_t culprit, std::string_view reason) noexcept override { inner_->abort(culprit, reason); }

 protected:
  TransportPtr inner_;

 private:
  const std::uint32_t rank_, ranks_;
  const Caps caps_;
};

/// One op on its way through a wrapper. A send's belongs to its group and, until it is done, to the wrapper; a
/// receive's to its group alone, so that it is cancelled with it.
struct DeferredOp {
  explicit DeferredOp(const Op& o) : op(o) {}

  Op op;
  std::vector<std::byte> copy;  ///< what is sent instead of the caller's bytes, if anything
  std::optional<Request> posted;
  bool gated = false;    ///< not done before the wrapper says so
  bool is_sent = false;  ///< done without having been posted

  bool done() const { return is_sent || (posted && posted->done() && !gated); }
  void post(Transport& inner) { posted = inner.post({}, {&op, 1}); }
};

class DeferredGroup final : public Request::State {
 public:
  std::vector<std::shared_ptr<DeferredOp>> ops;

  bool done() const override;
  std::size_t received_bytes(std::size_t op) const override { return ops[op]->posted->received_bytes(0); }
};

/// Connects the transport that `term`'s argument `inner` names, and removes the argument. Throws UsageError where there
/// is none.
TransportPtr connect_inner(Bootstrap& bootstrap, SpecTerm& term, const ConnectOptions& options);

}  // namespace tw
