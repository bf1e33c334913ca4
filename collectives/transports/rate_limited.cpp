#include "collectives/transports/rate_limited.hpp"

#include <algorithm>
#include <deque>
#include <vector>

#include "collectives/transports/wrapper.hpp"
#include "compress/params_visitors.hpp"

namespace tw {
namespace {

class RateLimited final : public TransportWrapper {
 public:
  RateLimited(TransportPtr inner, const RateParams& params)
      : TransportWrapper(std::move(inner), host_caps),
        out_(params.gbit * 1e9 / 8, static_cast<double>(params.burst)),
        in_(params.gbit * 1e9 / 8, static_cast<double>(params.burst)) {}

  std::string_view name() const override { return "rate_limited"; }
  Request post(const Exec& exec, std::span<const Op> ops) override;
  void progress(Deadline until) override;

 private:
  using Time = TokenBucket::Time;
  struct Leaving {
    std::shared_ptr<DeferredOp> op;
    Time left;  // when its last byte is out
  };
  struct Arriving {
    std::weak_ptr<DeferredOp> op;
    std::optional<Time> arrived;  // when its last byte is in; nothing while none of it has come
  };
  void queue(const std::shared_ptr<DeferredOp>& op);
  // What is due by now. True if anything happened that the caller may be waiting for.
  bool settle();
  bool settle_arrivals(Time now);
  Time next_event(Time until) const;

  TokenBucket out_, in_;
  std::deque<Leaving> leaving_;  // in order of leaving
  std::vector<std::shared_ptr<DeferredOp>> sending_;
  std::vector<Arriving> arriving_;
};

Request RateLimited::post(const Exec&, std::span<const Op> ops) {
  auto group = std::make_shared<DeferredGroup>();
  for (const Op& op : ops) {
    group->ops.push_back(std::make_shared<DeferredOp>(op));
    queue(group->ops.back());
  }
  return Request(std::move(group));
}

void RateLimited::queue(const std::shared_ptr<DeferredOp>& op) {
  if (op->op.kind == Op::Kind::receive) {
    op->gated = op->op.peer != rank();
    op->post(*inner_);
    if (op->gated) arriving_.push_back({op, std::nullopt});
  } else if (op->op.peer == rank()) {
    op->post(*inner_);
  } else {
    leaving_.push_back({op, out_.pass(Deadline::Clock::now(), op->op.bytes.size())});
  }
}

bool RateLimited::settle() {
  const Time now = Deadline::Clock::now();
  bool settled = settle_arrivals(now);
  for (; !leaving_.empty() && leaving_.front().left <= now; leaving_.pop_front()) {
    leaving_.front().op->post(*inner_);
    sending_.push_back(std::move(leaving_.front().op));
    settled = true;
  }
  std::erase_if(sending_, [](const auto& op) { return op->done(); });
  return settled;
}

bool RateLimited::settle_arrivals(Time now) {
  bool settled = false;
  std::erase_if(arriving_, [&](Arriving& arriving) {
    const auto op = arriving.op.lock();
    if (op == nullptr) return true;
    if (!arriving.arrived && op->posted->done()) {
      const std::size_t bytes = op->posted->received_bytes(0);  // its first byte came that much earlier
      arriving.arrived = std::max(now, in_.pass(now - in_.seconds_of(static_cast<double>(bytes)), bytes));
    }
    if (!arriving.arrived || *arriving.arrived > now) return false;
    op->gated = false;
    return settled = true;
  });
  return settled;
}

RateLimited::Time RateLimited::next_event(Time until) const {
  if (!leaving_.empty()) until = std::min(until, leaving_.front().left);
  for (const Arriving& arriving : arriving_)
    if (arriving.arrived) until = std::min(until, *arriving.arrived);
  return until;
}

void RateLimited::progress(Deadline until) {
  const bool settled = settle();
  inner_->progress(settled ? Deadline::in(0) : Deadline(next_event(until.at())));
  settle();
}

}  // namespace

Deadline::Clock::duration TokenBucket::seconds_of(double bytes) const {
  return std::chrono::duration_cast<Deadline::Clock::duration>(std::chrono::duration<double>(bytes / rate_));
}

TokenBucket::Time TokenBucket::pass(Time now, std::size_t bytes) {
  empty_since_ = std::max(empty_since_, now - seconds_of(burst_)) + seconds_of(static_cast<double>(bytes));
  return std::max(now, empty_since_);
}

void RateParams::declare(RateParams& p, ParamVisitor& v) {
  v.real("gbit", p.gbit, {0, 1e6}, "Gb/s each way");
  v.integer("burst", p.burst, {1, 1u << 30}, "bytes that pass at once after a pause");
}

TransportPtr connect_rate_limited(Bootstrap& bootstrap, const SpecTerm& term, const ConnectOptions& options) {
  SpecTerm own = term;
  TransportPtr inner = connect_inner(bootstrap, own, options);
  RateParams params;
  read_params(own, &params, [](void* p, ParamVisitor& v) { RateParams::declare(*static_cast<RateParams*>(p), v); });
  return TransportPtr(new RateLimited(std::move(inner), params));
}

}  // namespace tw
