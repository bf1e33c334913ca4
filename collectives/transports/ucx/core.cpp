#include "collectives/transports/ucx/core.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "kernels/base/check.hpp"

namespace tw::ucx {
namespace {

constexpr std::size_t kPartBytes = 24 << 10;  // UCX moves that much over TCP at once, without copies of its own
constexpr int kMostLastWords = 10000;         // rounds of progress
constexpr double kSettleSeconds = 1.0;        // for a peer to finish a message whose receive was cancelled

}  // namespace

Core::Core(std::uint32_t rank, std::uint32_t ranks, std::uint64_t job, Memory memory)
    : rank_(rank),
      job_(job),
      memory_(memory),
      inbox_(ranks, journal_),
      liveness_(rank, ranks, Liveness::Clock::now()),
      links_(ranks) {}

Core::~Core() {
  leave();
  for (std::uint32_t peer = 0; peer < ranks(); ++peer) inbox_.forget(peer);
  for (std::uint32_t peer = 0; peer < ranks(); ++peer) cut(peer);
  // Inside a host links cannot be cut.
  for (std::uint32_t peer = 0; peer < ranks(); ++peer)
    if (links_[peer].endpoint != nullptr && inbox_.fetches_from(peer)) links_[peer].fabric->abandon();
}

std::vector<std::byte> Core::open(Path path, const std::string& interface) {
  auto& fabric = fabrics_[static_cast<std::size_t>(path)];
  fabric = std::make_unique<Fabric>(path, interface, memory_);
  fabric->handle(MessageId::data, on_data, this);
  fabric->handle(MessageId::control, on_control, this);
  sleeper_.watch(fabric->event_fd());
  return fabric->address();
}

void Core::link(std::uint32_t peer, Path path, std::span<const std::byte> address) {
  Link& link = links_[peer];
  link.fabric = fabrics_[static_cast<std::size_t>(path)].get();
  link.endpoint = link.fabric->connect(address, {on_broken, this});
}

void Core::watch_process(std::uint32_t peer, std::int64_t pid) {
  sleeper_.watch_process(peer, pid);
  links_[peer].process = pid;
}

// A process that was stopped while it wrote into this rank's shared memory keeps all others from being heard.
std::optional<std::uint32_t> Core::silent_peer() const {
  for (std::uint32_t peer = 0; peer < ranks(); ++peer)
    if (links_[peer].process != 0 && is_stopped(links_[peer].process)) return peer;
  return liveness_.silent();
}

bool Core::takes_device_memory() const {
  return memory_ == Memory::cuda && std::all_of(fabrics_.begin(), fabrics_.end(), [](const auto& fabric) {
           return fabric == nullptr || fabric->takes_cuda();
         });
}

std::shared_ptr<PendingGroup> Core::post(const Exec& exec, std::span<const Op> ops) {
  journal_.raise();
  const bool on_device = std::any_of(ops.begin(), ops.end(), [](const Op& op) { return op.space == Space::device; });
  TW_CHECK(!on_device || takes_device_memory(), UsageError,
           "a message in device memory, which transport 'ucx' does not take here (Caps::device_memory)");
  auto group = std::make_shared<PendingGroup>(ops.size());
  try {
    for (std::size_t i = 0; i < ops.size(); ++i) {
      const Op& op = ops[i];
      const Exec& place = op.space == Space::device ? copies_.of(exec.device) : kHostPlace;
      if (op.kind == Op::Kind::receive)
        inbox_.post(op, group, i, place);
      else if (op.peer == rank_)
        own_.push_back({op.tag, op.bytes, &place, group, i});
      else
        send(op, group, i);
    }
  } catch (...) {
    journal_.fail(Failure::current());
    settle(*group);  // of the receives before: their rooms are the caller's again
    throw;
  }
  return group;
}

void Core::send(const Op& op, const std::shared_ptr<PendingGroup>& group, std::size_t index) {
  Link& link = links_[op.peer];
  const std::size_t part_bytes = link.fabric->prefers_eager() ? kPartBytes : std::max(op.bytes.size(), kPartBytes);
  Sending& message = new_sending(op.peer);
  message.parts_left = std::max<std::size_t>((op.bytes.size() + part_bytes - 1) / part_bytes, 1);
  message.failed = false;
  message.group = group;
  message.op = index;
  ++link.sends_under_way;
  std::size_t offset = 0;
  for (std::size_t part = message.parts_left; part != 0; --part, offset += part_bytes) {
    Sending& sending = offset == 0 ? message : new_sending(op.peer);
    sending.message = &message;
    sending.data = {job_, static_cast<std::uint64_t>(op.tag), op.bytes.size(), offset, link.sent++, rank_, 0};
    start(sending, MessageId::data, std::as_bytes(std::span(&sending.data, 1)),
          op.bytes.subspan(offset, std::min(part_bytes, op.bytes.size() - offset)), op.space);
  }
}

Core::Sending& Core::new_sending(std::uint32_t peer) {
  if (free_sendings_.empty()) free_sendings_.push_back(&sendings_.emplace_back());
  Sending& sending = *free_sendings_.back();
  free_sendings_.pop_back();
  sending.core = this;
  sending.peer = peer;
  return sending;
}

void Core::start(Sending& sending, MessageId id, std::span<const std::byte> header, std::span<const std::byte> bytes,
                 Space space) {
  ucp_request_param_t params{};
  params.op_attr_mask = UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA | UCP_OP_ATTR_FIELD_MEMORY_TYPE;
  params.cb.send = on_sent;
  params.user_data = &sending;
  params.memory_type = UCS_MEMORY_TYPE_HOST;
  if (space == Space::device) {
    params.memory_type = UCS_MEMORY_TYPE_CUDA;
    // Small messages take a short cut in UCX, up to 1.13 at least, which goes by UCX's own records of what lies where,
    // and these do not know memory that is older than UCX. A request that may not complete at once takes none.
    params.op_attr_mask |= UCP_OP_ATTR_FLAG_NO_IMM_CMPL;
  }
  if (links_[sending.peer].fabric->prefers_eager()) {
    params.op_attr_mask |= UCP_OP_ATTR_FIELD_FLAGS;
    params.flags = UCP_AM_SEND_FLAG_EAGER;
  }
  liveness_.sent(sending.peer, Liveness::Clock::now());
  const ucp_ep_h endpoint = links_[sending.peer].endpoint;
  if (endpoint == nullptr) return sent(sending, UCS_ERR_CONNECTION_RESET);
  const ucs_status_ptr_t request = ucp_am_send_nbx(endpoint, static_cast<unsigned>(id), header.data(), header.size(),
                                                   bytes.data(), bytes.size(), &params);
  if (!UCS_PTR_IS_PTR(request)) sent(sending, UCS_PTR_STATUS(request));
}

void Core::on_sent(void* request, ucs_status_t status, void* argument) {
  Sending& sending = *static_cast<Sending*>(argument);
  sending.core->sent(sending, status);
  ucp_request_free(request);
}

void Core::sent(Sending& sending, ucs_status_t status) {
  if (sending.message != nullptr) return sent_part(sending, status);
  --controls_under_way_;
  if (sending.control.kind == ControlKind::heartbeat) links_[sending.peer].heartbeat_under_way = false;
  free_sendings_.push_back(&sending);
}

void Core::sent_part(Sending& part, ucs_status_t status) {
  Sending& message = *part.message;
  if (&part != &message) free_sendings_.push_back(&part);
  if (status != UCS_OK) {
    message.failed = true;
    broken_.emplace_back(message.peer, ucs_status_string(status));
    journal_.suspect(
        PeerError(message.peer, detail::concat("rank ", message.peer, " closed its transport before it took ",
                                               "a message of rank ", rank_, ": ", ucs_status_string(status))));
  }
  if (--message.parts_left != 0) return;
  if (!message.failed) {
    message.group->complete(message.op, 0);
    ++journal_.completions;
  }
  message.group.reset();
  --links_[message.peer].sends_under_way;
  free_sendings_.push_back(&message);
}

void Core::progress(Deadline until) {
  journal_.raise();
  const std::uint64_t completions = journal_.completions;
  for (;;) {
    run_workers();
    journal_.raise();
    if (journal_.completions != completions || sleeper_.woken() || until.passed()) return;
    sleep(until);
  }
}

void Core::run_workers() {
  deliver_own();
  const std::vector<std::uint32_t> ended = sleeper_.ended();
  const std::uint64_t completions = journal_.completions;
  for (const auto& fabric : fabrics_) {
    if (fabric == nullptr) continue;
    // What came before the end of a process or a link is heard first: it may have left in good order, or name another
    // rank. A worker that has something for such a peer may be busy for ever.
    for (int last_words = 0; fabric->progress() != 0;) {
      const bool ends = !ended.empty() || !broken_.empty() || journal_.suspicion;
      if (ends ? ++last_words == kMostLastWords : journal_.completions != completions) break;
    }
  }
  if (!broken_.empty() || journal_.suspicion)
    if (auto own = copies_.failure()) journal_.fail(std::move(*own));
  for (const std::uint32_t peer : ended) lose(peer, "its process has ended");
  for (const auto& [peer, how] : std::exchange(broken_, {})) lose(peer, how);
  journal_.confirm();
  note_leavers();
  liveness_.looked(Liveness::Clock::now());
  send_heartbeats();
}

void Core::deliver_own() {
  for (const OwnMessage& message : std::exchange(own_, {})) {
    try {
      inbox_.deliver_own(rank_, message.tag, message.bytes, *message.place);
    } catch (...) {
      return journal_.fail(Failure::current());
    }
    message.group->complete(message.op, 0);
    ++journal_.completions;
  }
}

void Core::sleep(Deadline until) {
  // A worker with something to do is not slept on. It may claim that for ever, after a peer that died while it wrote
  // into shared memory; that it died is seen all the same.
  for (const auto& fabric : fabrics_)
    if (fabric != nullptr && !fabric->arm()) return sleeper_.sleep(Deadline::in(0));
  sleeper_.sleep(std::min(until, Deadline(liveness_.next_due())));
}

ucs_status_t Core::on_data(void* argument, const void* header, std::size_t header_bytes, void* data, std::size_t bytes,
                           const ucp_am_recv_param_t* how) {
  Core& core = *static_cast<Core*>(argument);
  DataHeader message;
  if (header_bytes != sizeof message) return UCS_OK;
  std::memcpy(&message, header, sizeof message);
  if (message.job != core.job_ || message.source >= core.ranks() || message.source == core.rank_) return UCS_OK;
  core.liveness_.heard(message.source, Liveness::Clock::now());
  try {
    const std::span<const std::byte> body(static_cast<const std::byte*>(data), bytes);
    const bool rendezvous = (how->recv_attr & UCP_AM_RECV_ATTR_FLAG_RNDV) != 0;
    if (rendezvous)
      core.inbox_.announced(*core.links_[message.source].fabric, message, data, bytes);
    else
      core.inbox_.arrived(message, body);
    return rendezvous ? UCS_INPROGRESS : UCS_OK;
  } catch (...) {
    core.journal_.fail(Failure::current());
    return (how->recv_attr & UCP_AM_RECV_ATTR_FLAG_RNDV) != 0 ? UCS_INPROGRESS : UCS_OK;
  }
}

void Core::cut(std::uint32_t peer) {
  Link& link = links_[peer];
  if (link.fabric == nullptr || link.fabric->path() == Path::host) return;
  if (const ucp_ep_h endpoint = std::exchange(link.endpoint, nullptr)) link.fabric->cut(endpoint);
}

void Core::settle(const PendingGroup& group) noexcept {
  try {
    const bool patient = !journal_.failure && !aborted_;
    run_until([&] { return inbox_.fetch_into(group) == nullptr; }, Deadline::in(patient ? kSettleSeconds : 0));
    while (const Inbox::Fetch* fetch = inbox_.fetch_into(group)) {
      Fabric& fabric = *fetch->fabric;
      const std::uint32_t peer = fetch->peer;
      journal_.fail(PeerError(
          peer, detail::concat("rank ", peer, " did not finish a message that rank ", rank_, " stopped waiting for")));
      cut(peer);
      if (inbox_.fetch_into(group) != nullptr) fabric.silence();
    }
    copies_.settle();
  } catch (...) {
    for (const auto& fabric : fabrics_)
      if (fabric != nullptr) fabric->silence();
  }
}

}  // namespace tw::ucx
