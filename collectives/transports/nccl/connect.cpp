// Connecting over NCCL: ranks exchange cards, connect their control transport, then make the communicator.
#include <algorithm>
#include <cstring>
#include <span>
#include <vector>

#include "collectives/transports/nccl/library.hpp"
#include "collectives/transports/nccl/nccl.hpp"
#include "collectives/transports/nccl/transport.hpp"
#include "compress/params_visitors.hpp"
#include "kernels/base/check.hpp"
#include "kernels/cuda/device.hpp"
#include "kernels/cuda/error.hpp"

namespace tw {
namespace {

using nccl::Library;
using nccl::NcclTransport;

constexpr std::uint64_t kMagic = 0x0031'6c63'636e'7774;  // "twnccl1"

struct NcclParams {
  std::optional<std::uint64_t> device;

  static void declare(void* params, ParamVisitor& visitor) {
    visitor.optional_integer("device", static_cast<NcclParams*>(params)->device, {0, 1023},
                             "CUDA's number of it; the thread's current one where left out");
  }
};

struct Settings {
  std::string control = "tcp";
  std::string library;  // empty: the default one
  NcclParams params;
};

struct Card {
  std::uint64_t magic = kMagic;
  std::int64_t version = 0;
  ncclUniqueId id{};  // of rank 0
  cudaUUID_t gpu{};
};

/// What all ranks' cards say.
struct Cards {
  ncclUniqueId id;
  std::string sharing;  // of a GPU, and what to do about it; empty where there is none
};

// Removes an argument that names something and has no range.
void take(SpecTerm& term, std::string_view key, std::string& value) {
  const auto found = std::find_if(term.arguments.begin(), term.arguments.end(),
                                  [&](const auto& argument) { return argument.key == key; });
  if (found == term.arguments.end()) return;
  value = found->value;
  term.arguments.erase(found);
}

Settings read_settings(SpecTerm term) {
  Settings settings;
  take(term, "control", settings.control);
  take(term, "library", settings.library);
  for (const auto& argument : term.arguments)
    TW_CHECK(argument.key == "device", UsageError, "'nccl' has no key '", argument.key,
             "'; known: control=(tcp), device (0 to 1023), library=PATH");
  read_params(term, &settings.params, NcclParams::declare);
  return settings;
}

void check_usable(const Library& library) {
  constexpr const char* kRefused = "transport 'nccl' cannot be used here: ";
  TW_CHECK(library.missing.empty(), UsageError, kRefused, library.missing);
  const std::string missing = cuda::unavailable();
  TW_CHECK(missing.empty(), UsageError, kRefused, missing);
}

std::uint32_t device_of(const NcclParams& params) {
  if (params.device) return static_cast<std::uint32_t>(*params.device);
  int device = 0;
  TW_CUDA(cudaGetDevice(&device));
  return static_cast<std::uint32_t>(device);
}

cudaUUID_t gpu_of(std::uint32_t device) {
  cudaDeviceProp properties;
  TW_CUDA(cudaGetDeviceProperties(&properties, static_cast<int>(device)));
  return properties.uuid;
}

// Of the first two ranks on one GPU.
std::string sharing_of(std::span<const Card> cards) {
  for (std::size_t b = 1; b < cards.size(); ++b)
    for (std::size_t a = 0; a < b; ++a)
      if (std::memcmp(&cards[a].gpu, &cards[b].gpu, sizeof(cudaUUID_t)) == 0)
        return detail::concat(
            "; ranks ", a, " and ", b, " are on one GPU. Give each a GPU of its own, or start each as a ",
            "process with another NCCL_HOSTID, or, from NCCL 2.30 on, all with ", "NCCL_MULTI_RANK_GPU_ENABLE=1");
  return {};
}

Cards exchange_cards(Bootstrap& bootstrap, const Library& library, std::uint32_t device, Deadline deadline) {
  Card own;
  own.version = library.version;
  own.gpu = gpu_of(device);
  if (bootstrap.rank() == 0) TW_NCCL(*library.api, get_unique_id(&own.id));
  const auto blobs = bootstrap.all_gather(std::as_bytes(std::span(&own, 1)), "exchange of NCCL cards", deadline);
  std::vector<Card> cards(blobs.size());
  for (std::uint32_t rank = 0; rank < blobs.size(); ++rank) {
    Card& card = cards[rank];
    if (blobs[rank].size() == sizeof card) std::memcpy(&card, blobs[rank].data(), sizeof card);
    TW_CHECK(blobs[rank].size() == sizeof card && card.magic == kMagic, UsageError, "rank ", rank,
             " connects over another transport than nccl, another version of it, or in another byte order");
    TW_CHECK(card.version == own.version, UsageError, "rank ", rank, " has NCCL ",
             nccl::version_text(static_cast<int>(card.version)), " and rank ", bootstrap.rank(), " NCCL ",
             nccl::version_text(library.version), "; they must be the same");
  }
  return {cards.front().id, sharing_of(cards)};
}

// NCCL says of ranks on one GPU that its usage is invalid, and in words that change from version to version why.
std::string explained(const NcclError& error, const Library& library, const Cards& cards) {
  const std::string words = error.what();
  const bool refused = words.find(library.api->get_error_string(ncclInvalidUsage)) != std::string::npos;
  return refused ? words + cards.sharing : words;
}

// Ranks that are not to come must not be waited for: the others hear why this one gives up.
void join(NcclTransport& transport, const Library& library, const Cards& cards, Deadline deadline) {
  try {
    transport.join(cards.id, deadline);
  } catch (const PeerError& error) {
    transport.abort(error.rank(), error.what());
    throw;
  } catch (const NcclError& error) {
    const std::string words = explained(error, library, cards);
    transport.abort(transport.rank(), words);
    throw NcclError(words);
  } catch (const std::exception& error) {
    transport.abort(transport.rank(), error.what());
    throw;
  }
}

}  // namespace

std::string nccl_unavailable() {
  const std::string& missing = nccl::default_library().missing;
  return missing.empty() ? cuda::unavailable() : missing;
}

TransportPtr connect_nccl(Bootstrap& bootstrap, const SpecTerm& term, const ConnectOptions& options) {
  const Settings settings = read_settings(term);
  const Library library = settings.library.empty() ? nccl::default_library() : nccl::load_library(settings.library);
  check_usable(library);
  const nccl::Place place{device_of(settings.params), options.deadline_seconds};
  const Deadline deadline = Deadline::in(options.deadline_seconds);
  const Cards cards = exchange_cards(bootstrap, library, place.device, deadline);
  ConnectOptions control = options;
  control.transport = settings.control;
  auto transport = std::make_unique<NcclTransport>(connect_over(bootstrap, control), *library.api, place);
  join(*transport, library, cards, deadline);
  return TransportPtr(transport.release());
}

std::string nccl_summary() {
  const Library& library = nccl::default_library();
  if (!library.missing.empty()) return "NCCL: " + library.missing;
  const std::string device = cuda::unavailable();
  return "NCCL " + nccl::version_text(library.version) + " (" + library.path + ")" +
         (device.empty() ? "" : ": " + device);
}

}  // namespace tw
