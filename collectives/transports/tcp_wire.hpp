// The bytes of tcp connections, little-endian.
//
// First, each way, one hello of 48 bytes:
//   [0] "TWTCP" 0 0 0   [8] u32 version  [12] u32 ranks  [16] u32 from  [20] u32 to  [24] 8 bytes 0  [32] token of `to`
// A rank's token is 16 random bytes that only the members of its rendezvous know.
//
// Then messages, each behind a header of 16 bytes:
//   [0] u16 0x5754  [2] u8 kind  [3] u8 0  [4] u32 bytes that follow  [8] u64 tag; of an abort: the culprit's rank
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace tw {

static_assert(std::endian::native == std::endian::little, "the wire is little-endian and written as it lies");

inline constexpr std::uint32_t kTcpVersion = 1;
inline constexpr std::size_t kMaxTcpMessageBytes = std::size_t{1} << 30;
inline constexpr std::size_t kMaxAbortReasonBytes = 1024;

using TcpToken = std::array<std::byte, 16>;

struct TcpHello {
  char magic[8] = {'T', 'W', 'T', 'C', 'P', 0, 0, 0};
  std::uint32_t version = kTcpVersion;
  std::uint32_t ranks = 0;
  std::uint32_t from = 0;
  std::uint32_t to = 0;
  std::uint64_t reserved = 0;
  TcpToken token{};

  friend bool operator==(const TcpHello& a, const TcpHello& b) { return std::memcmp(&a, &b, sizeof a) == 0; }
};
static_assert(sizeof(TcpHello) == 48);

enum class TcpKind : std::uint8_t { message = 1, heartbeat = 2, goodbye = 3, abort = 4 };

inline constexpr std::uint16_t kTcpMagic = 0x5754;

struct TcpHeader {
  std::uint16_t magic = kTcpMagic;
  TcpKind kind = TcpKind::message;
  std::uint8_t reserved = 0;
  std::uint32_t bytes = 0;
  std::uint64_t tag = 0;
};
static_assert(sizeof(TcpHeader) == 16);

}  // namespace tw
