#include "collectives/transports/faulty.hpp"

#include <deque>
#include <mutex>
#include <set>

#include "collectives/failure.hpp"
#include "collectives/transports/wrapper.hpp"
#include "compress/params_visitors.hpp"
#include "kernels/base/check.hpp"
#include "kernels/base/hash.hpp"

namespace tw {
namespace {

// Independent words for the things that may befall a message.
enum class Draw : std::uint64_t { delay, truncate, cut, corrupt, bit, drop };

class Faulty final : public TransportWrapper {
 public:
  Faulty(TransportPtr inner, const FaultyParams& params)
      : TransportWrapper(std::move(inner), host_caps), params_(params) {}
  ~Faulty() override { inner_.reset(); }  // before the copies it may be sending

  std::string_view name() const override { return "faulty"; }
  Request post(const Exec& exec, std::span<const Op> ops) override;
  void progress(Deadline until) override;
  void wake() override;
  std::optional<std::uint32_t> silent_peer() const override { return inner_ ? inner_->silent_peer() : std::nullopt; }
  void abort(std::uint32_t culprit, std::string_view reason) noexcept override {
    if (inner_) inner_->abort(culprit, reason);
  }

 private:
  struct Held {
    std::shared_ptr<DeferredOp> op;
    std::uint64_t due;  // in calls of progress
  };
  std::uint64_t draw(Draw what) const;
  bool befalls(std::optional<double> probability, Draw what) const;
  void send(const std::shared_ptr<DeferredOp>& op);
  void mangle(DeferredOp& op) const;
  void release_due();
  [[noreturn]] void die();

  const FaultyParams params_;
  std::uint64_t messages_ = 0;  // sent so far, this one included
  std::uint64_t calls_ = 0;     // of progress
  std::deque<Held> held_;       // in posting order
  std::vector<std::shared_ptr<DeferredOp>> sending_;
  std::optional<Failure> failure_;
  std::mutex dying_;  // wake() comes from other threads
};

std::uint64_t Faulty::draw(Draw what) const {
  const std::uint64_t words[] = {params_.seed, rank(), messages_, static_cast<std::uint64_t>(what)};
  return hash64(std::as_bytes(std::span(words)));
}

bool Faulty::befalls(std::optional<double> probability, Draw what) const {
  return probability && static_cast<double>(draw(what) >> 11) * 0x1p-53 < *probability;
}

void Faulty::die() {
  {
    const std::lock_guard lock(dying_);
    inner_.reset();
  }
  failure_ = Failure(
      SystemError(detail::concat("the faulty transport killed rank ", rank(), " before its message ", messages_)));
  failure_->raise();
}

Request Faulty::post(const Exec&, std::span<const Op> ops) {
  if (failure_) failure_->raise();
  auto group = std::make_shared<DeferredGroup>();
  for (const Op& op : ops) {
    group->ops.push_back(std::make_shared<DeferredOp>(op));
    if (op.kind == Op::Kind::send)
      send(group->ops.back());
    else
      group->ops.back()->post(*inner_);
  }
  return Request(std::move(group));
}

void Faulty::send(const std::shared_ptr<DeferredOp>& op) {
  ++messages_;
  if (params_.kill && messages_ >= *params_.kill) die();
  if (befalls(params_.drop, Draw::drop)) {
    op->is_sent = true;
    return;
  }
  mangle(*op);
  sending_.push_back(op);
  if (params_.delay == 0)
    op->post(*inner_);
  else
    held_.push_back({op, calls_ + draw(Draw::delay) % (params_.delay + 1)});
}

void Faulty::mangle(DeferredOp& op) const {
  const std::size_t bytes = op.op.bytes.size();
  if (bytes == 0) return;
  const bool truncate = befalls(params_.truncate, Draw::truncate), corrupt = befalls(params_.corrupt, Draw::corrupt);
  if (!truncate && !corrupt) return;
  op.copy.assign(op.op.bytes.begin(), op.op.bytes.end());
  if (corrupt) {
    const std::uint64_t bit = draw(Draw::bit) % (8 * bytes);
    op.copy[bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
  }
  if (truncate) op.copy.resize(draw(Draw::cut) % bytes);
  op.op.bytes = op.copy;
}

// Of messages with the same peer and tag none overtakes another.
void Faulty::release_due() {
  std::set<std::pair<std::uint32_t, Tag>> blocked;
  for (auto held = held_.begin(); held != held_.end();) {
    const std::pair key(held->op->op.peer, held->op->op.tag);
    if (held->due > calls_ || blocked.contains(key)) {
      blocked.insert(key);
      ++held;
    } else {
      held->op->post(*inner_);
      held = held_.erase(held);
    }
  }
}

void Faulty::progress(Deadline until) {
  if (failure_) failure_->raise();
  ++calls_;
  release_due();
  inner_->progress(held_.empty() ? until : Deadline::in(0));
  std::erase_if(sending_, [](const auto& op) { return op->done(); });
}

void Faulty::wake() {
  const std::lock_guard lock(dying_);
  if (inner_) inner_->wake();
}

}  // namespace

void FaultyParams::declare(FaultyParams& p, ParamVisitor& v) {
  v.integer("seed", p.seed, {0, ~std::uint64_t{0}}, "which messages suffer");
  v.optional_integer("rank", p.rank, {0, 1u << 20}, "the rank that suffers; all where left out");
  v.integer("delay", p.delay, {0, 1u << 20}, "most calls of progress for which a message is held");
  v.optional_real("truncate", p.truncate, {0, 1}, "share of messages that are cut short");
  v.optional_real("corrupt", p.corrupt, {0, 1}, "share of messages with a bit flipped");
  v.optional_real("drop", p.drop, {0, 1}, "share of messages that are lost");
  v.optional_integer("kill", p.kill, {1, ~std::uint64_t{0}}, "message at which the rank dies");
}

TransportPtr connect_faulty(Bootstrap& bootstrap, const SpecTerm& term, const ConnectOptions& options) {
  SpecTerm own = term;
  TransportPtr inner = connect_inner(bootstrap, own, options);
  FaultyParams params;
  read_params(own, &params, [](void* p, ParamVisitor& v) { FaultyParams::declare(*static_cast<FaultyParams*>(p), v); });
  if (params.rank && *params.rank != inner->rank()) params = {};
  return TransportPtr(new Faulty(std::move(inner), params));
}

}  // namespace tw
