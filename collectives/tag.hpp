// The bits of a message tag: [63:60] kind, [59:44] sequence (step or call number modulo 2^16), [43:24] bucket,
// [23:1] chunk, [0] hop. Unique among the messages that two ranks can have in flight at once. Kind `transport` is for
// what transports tell each other beside their users.
#pragma once

#include <cstdint>

#include <tightwire/types.hpp>

#include "collectives/transport.hpp"

namespace tw {

enum class MessageKind : std::uint64_t {
  frame = 1,
  vote = 2,
  broadcast = 3,
  barrier = 4,
  dense = 5,
  handshake = 6,
  transport = 15
};

inline constexpr std::uint32_t kMaxBuckets = 1u << 20;
inline constexpr std::uint32_t kMaxChunks = 1u << 23;

/// Tag of a frame of a bucket.
constexpr Tag frame_tag(std::uint64_t step, std::uint32_t bucket, std::uint32_t chunk, Hop hop) {
  return Tag{(static_cast<std::uint64_t>(MessageKind::frame) << 60) | ((step & 0xffff) << 44) |
             (std::uint64_t{bucket} << 24) | (std::uint64_t{chunk} << 1) | static_cast<std::uint64_t>(hop)};
}

/// Tag of a message of the `sequence`-th small collective of `kind`, in round `round`.
constexpr Tag small_tag(MessageKind kind, std::uint64_t sequence, std::uint32_t round) {
  return Tag{(static_cast<std::uint64_t>(kind) << 60) | ((sequence & 0xffffffff) << 28) | round};
}

}  // namespace tw
