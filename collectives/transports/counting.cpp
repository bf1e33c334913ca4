#include "collectives/transports/counting.hpp"

#include "collectives/transports/wrapper.hpp"
#include "compress/params_visitors.hpp"
#include "kernels/base/check.hpp"

namespace tw {
namespace {

class Counting final : public TransportWrapper {
 public:
  explicit Counting(TransportPtr inner)
      : TransportWrapper(std::move(inner)), counts_(std::make_shared<TrafficCounts>(ranks())) {}

  std::string_view name() const override { return "counting"; }
  Request post(const Exec& exec, std::span<const Op> ops) override {
    for (const Op& op : ops)
      if (op.kind == Op::Kind::send) counts_->add(op.peer, op.bytes.size());
    return inner_->post(exec, ops);
  }
  std::shared_ptr<const TrafficCounts> counts() const { return counts_; }

 private:
  std::shared_ptr<TrafficCounts> counts_;
};

}  // namespace

void TrafficCounts::add(std::uint32_t peer, std::size_t bytes) {
  peers_[peer].messages.fetch_add(1, std::memory_order_relaxed);
  peers_[peer].bytes.fetch_add(bytes, std::memory_order_relaxed);
}

Traffic TrafficCounts::sent_to(std::uint32_t peer) const {
  return {peers_[peer].messages.load(std::memory_order_relaxed), peers_[peer].bytes.load(std::memory_order_relaxed)};
}

Traffic TrafficCounts::sent() const {
  Traffic total;
  for (std::uint32_t peer = 0; peer < peers_.size(); ++peer) {
    const Traffic part = sent_to(peer);
    total.messages += part.messages;
    total.bytes += part.bytes;
  }
  return total;
}

TransportPtr connect_counting(Bootstrap& bootstrap, const SpecTerm& term, const ConnectOptions& options) {
  SpecTerm own = term;
  TransportPtr inner = connect_inner(bootstrap, own, options);
  read_params(own, nullptr, [](void*, ParamVisitor&) {});
  return TransportPtr(new Counting(std::move(inner)));
}

std::shared_ptr<const TrafficCounts> counts_of(const Transport& transport) {
  const auto* counting = dynamic_cast<const Counting*>(&transport);
  TW_CHECK(counting != nullptr, UsageError, "transport '", transport.name(),
           "' counts nothing; wrap it: counting:inner=(", transport.name(), ")");
  return counting->counts();
}

}  // namespace tw
