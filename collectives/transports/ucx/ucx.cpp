// Connecting over UCX: ranks exchange cards, which tell who shares a host, then the addresses of the paths they need,
// then greet each other.
#include "collectives/transports/ucx/ucx.hpp"

#include <unistd.h>

#include <array>
#include <cstring>
#include <random>
#include <utility>

#include "collectives/transport.hpp"
#include "collectives/transports/ucx/core.hpp"
#include "collectives/transports/ucx/host.hpp"
#include "compress/params_visitors.hpp"
#include "kernels/base/check.hpp"
#include "kernels/cuda/device.hpp"

namespace tw {
namespace {

using ucx::Card;
using ucx::Core;
using ucx::Path;

constexpr std::array<std::string_view, 2> kHostChoices{"auto", "apart"};
constexpr std::array<std::string_view, 3> kDeviceChoices{"auto", "direct", "staged"};
constexpr std::uint32_t kDirect = 1, kStaged = 2;

struct UcxParams {
  std::uint32_t hosts = 0;   // index into kHostChoices
  std::uint32_t device = 0;  // index into kDeviceChoices

  static void declare(void* untyped, ParamVisitor& visitor) {
    auto* params = static_cast<UcxParams*>(untyped);
    visitor.choice("hosts", params->hosts, kHostChoices, "which ranks share memory: those of one host, or none");
    visitor.choice("device", params->device, kDeviceChoices,
                   "messages go from device to device where UCX reports CUDA memory, always, or never");
  }
};

// A posted group. Its end cancels its receives, which UCX may be writing.
class UcxGroup final : public Request::State {
 public:
  UcxGroup(std::weak_ptr<Core> core, std::shared_ptr<PendingGroup> group)
      : core_(std::move(core)), group_(std::move(group)) {}
  ~UcxGroup() override {
    if (group_->done()) return;
    if (const auto core = core_.lock()) core->settle(*group_);
  }
  bool done() const override { return group_->done(); }
  std::size_t received_bytes(std::size_t op) const override { return group_->received_bytes(op); }

 private:
  std::weak_ptr<Core> core_;
  std::shared_ptr<PendingGroup> group_;
};

class Ucx final : public Transport {
 public:
  explicit Ucx(std::shared_ptr<Core> core) : core_(std::move(core)) {}

  std::string_view name() const override { return "ucx"; }
  std::uint32_t rank() const override { return core_->rank(); }
  std::uint32_t ranks() const override { return core_->ranks(); }
  Caps caps() const override {
    Caps caps;
    caps.inside_one_host = core_->inside_one_host();
    caps.device_memory = caps.device_tags = caps.device_sizes = core_->takes_device_memory();
    return caps;
  }
  Request post(const Exec& exec, std::span<const Op> ops) override {
    return Request(std::make_shared<UcxGroup>(core_, core_->post(exec, ops)));
  }
  void progress(Deadline until) override { core_->progress(until); }
  void wake() override { core_->wake(); }
  std::optional<std::uint32_t> silent_peer() const override { return core_->silent_peer(); }
  void abort(std::uint32_t culprit, std::string_view reason) noexcept override { core_->abort(culprit, reason); }

 private:
  std::shared_ptr<Core> core_;
};

std::uint64_t random_job() {
  std::random_device random;
  return (std::uint64_t{random()} << 32) | random();
}

std::vector<Card> exchange_cards(Bootstrap& bootstrap, const UcxParams& params, Deadline deadline) {
  Card own;
  own.job = random_job();
  own.host = ucx::this_host();
  own.process = getpid();
  own.hosts_apart = params.hosts;
  const auto blobs = bootstrap.all_gather(std::as_bytes(std::span(&own, 1)), "exchange of UCX cards", deadline);
  std::vector<Card> cards(blobs.size());
  for (std::uint32_t rank = 0; rank < cards.size(); ++rank) {
    Card& card = cards[rank];
    if (blobs[rank].size() == sizeof card) std::memcpy(&card, blobs[rank].data(), sizeof card);
    TW_CHECK(blobs[rank].size() == sizeof card && card.magic == own.magic, UsageError, "rank ", rank,
             " connects over another transport than ucx, another version of it, or in another byte order");
    TW_CHECK(card.hosts_apart == own.hosts_apart, UsageError, "rank ", rank,
             " connects with hosts=", kHostChoices[card.hosts_apart & 1], " and rank ", bootstrap.rank(),
             " with hosts=", kHostChoices[own.hosts_apart]);
  }
  return cards;
}

Path path_between(const Card& a, const Card& b) {
  return a.hosts_apart == 0 && a.host == b.host ? Path::host : Path::network;
}

// Addresses of both paths in one blob: bytes of the first (u32), the first, the second. Unneeded ones are empty.
std::vector<std::byte> join(const std::array<std::vector<std::byte>, 2>& addresses) {
  const auto first_bytes = static_cast<std::uint32_t>(addresses[0].size());
  const auto* prefix = reinterpret_cast<const std::byte*>(&first_bytes);
  std::vector<std::byte> blob(prefix, prefix + sizeof first_bytes);
  for (const auto& address : addresses) blob.insert(blob.end(), address.begin(), address.end());
  return blob;
}

std::span<const std::byte> part_of(std::span<const std::byte> blob, Path path, std::uint32_t rank) {
  std::uint32_t first_bytes = 0;
  if (blob.size() >= sizeof first_bytes) std::memcpy(&first_bytes, blob.data(), sizeof first_bytes);
  TW_CHECK(blob.size() >= sizeof first_bytes + first_bytes, WireError, "rank ", rank, " sent a UCX address of ",
           blob.size(), " bytes that should have ", first_bytes);
  const auto addresses = blob.subspan(sizeof first_bytes);
  const auto part = path == Path::host ? addresses.first(first_bytes) : addresses.subspan(first_bytes);
  TW_CHECK(!part.empty(), WireError, "rank ", rank, " sent no UCX address for this path");
  return part;
}

// What messages may lie in if UCX goes along. Without a device it is not asked.
ucx::Memory memory_for(const UcxParams& params) {
  if (params.device == kStaged) return ucx::Memory::host;
  const std::string missing = cuda::unavailable();
  TW_CHECK(missing.empty() || params.device != kDirect, UsageError, "transport 'ucx' with device=direct: ", missing,
           "; device=auto takes memory of devices where it can");
  return missing.empty() ? ucx::Memory::cuda : ucx::Memory::host;
}

void require_direct(const Core& core) {
  TW_CHECK(
      core.takes_device_memory(), UsageError, "transport 'ucx' with device=direct: UCX ", ucx::ucx_version(),
      " reports no CUDA memory here. Install a UCX that was built with CUDA ('ucx_info -d' then lists cuda_copy) and "
      "let UCX_TLS have 'cuda', or leave device=auto, where frames are staged through pinned memory");
}

void link_all(Core& core, Bootstrap& bootstrap, const std::vector<Card>& cards, const ConnectOptions& options,
              std::uint32_t device, Deadline deadline) {
  const Card& own = cards[core.rank()];
  std::array<std::vector<std::byte>, 2> addresses;
  for (std::uint32_t peer = 0; peer < core.ranks(); ++peer) {
    const Path path = path_between(own, cards[peer]);
    auto& address = addresses[static_cast<std::size_t>(path)];
    if (peer != core.rank() && address.empty()) address = core.open(path, options.interface);
  }
  if (device == kDirect) require_direct(core);
  const auto blobs = bootstrap.all_gather(join(addresses), "exchange of UCX addresses", deadline);
  for (std::uint32_t peer = 0; peer < core.ranks(); ++peer) {
    if (peer == core.rank()) continue;
    const Path path = path_between(own, cards[peer]);
    if (own.host == cards[peer].host && own.process != cards[peer].process)
      core.watch_process(peer, cards[peer].process);
    core.link(peer, path, part_of(blobs[peer], path, peer));
  }
}

}  // namespace

std::string ucx_unavailable() { return {}; }

TransportPtr connect_ucx(Bootstrap& bootstrap, const SpecTerm& term, const ConnectOptions& options) {
  UcxParams params;
  read_params(term, &params, UcxParams::declare);
  const Deadline deadline = Deadline::in(options.deadline_seconds);
  const ucx::Memory memory = memory_for(params);
  const std::vector<Card> cards = exchange_cards(bootstrap, params, deadline);
  auto core = std::make_shared<Core>(bootstrap.rank(), bootstrap.ranks(), cards[0].job, memory);
  link_all(*core, bootstrap, cards, options, params.device, deadline);
  core->greet(deadline);
  return TransportPtr(new Ucx(std::move(core)));
}

}  // namespace tw
