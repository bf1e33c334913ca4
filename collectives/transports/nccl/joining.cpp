// How the ranks of a communicator come together. NCCL waits for all of them without a word; so each rank greets the
// others over the control transport when it is in, and at the deadline those who have not can be named.
#include <algorithm>

#include "collectives/tag.hpp"
#include "collectives/transports/nccl/transport.hpp"
#include "kernels/base/check.hpp"
#include "kernels/cuda/device.hpp"

namespace tw::nccl {
namespace {

constexpr Tag kGreeting = small_tag(MessageKind::transport, 0, 1);

std::vector<Request> greet(Transport& control, Op::Kind kind, std::span<const std::uint32_t> peers) {
  std::vector<Request> requests;
  for (const std::uint32_t peer : peers) {
    const Op op{kind, peer, kGreeting, {}};
    requests.push_back(control.post({}, {&op, 1}));
  }
  return requests;
}

bool all_done(std::span<const Request> requests) {
  return std::all_of(requests.begin(), requests.end(), [](const Request& request) { return request.done(); });
}

}  // namespace

void NcclTransport::join(const ncclUniqueId& id, Deadline deadline) {
  const cuda::CurrentDevice current(place_.device);
  const auto greetings = greet(*control_, Op::Kind::receive, others_);
  comm_.join(id, rank(), ranks());
  const auto own = greet(*control_, Op::Kind::send, others_);
  for (std::uint32_t polls = 0; !comm_.settled() || !all_done(greetings) || !all_done(own); ++polls) {
    if (deadline.passed()) throw_unjoined(greetings);
    pause(polls, deadline);
  }
}

void NcclTransport::throw_unjoined(std::span<const Request> greetings) const {
  const auto absent = std::find_if(greetings.begin(), greetings.end(), [](const Request& g) { return !g.done(); });
  if (absent == greetings.end())
    TW_FAIL(NcclError, "NCCL did not connect ", ranks(), " ranks by the deadline, though all are there; ",
            "NCCL_DEBUG=INFO in the environment makes it say what it waits for");
  const std::uint32_t culprit = others_[static_cast<std::size_t>(absent - greetings.begin())];
  throw PeerError(culprit, detail::concat("rank ", culprit, " of ", ranks(), " did not come to NCCL by the deadline"));
}

}  // namespace tw::nccl
