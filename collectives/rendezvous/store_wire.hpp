// The bytes between the rendezvous store and its clients, little-endian.
//
// A client begins with a StoreHello and its run id. Then come requests, each a StoreRequest, a key and a value; replies
// are a StoreReply and its bytes. `set` is not answered; `get` is, once the key is set. `bye` ends a client in good
// order; `fail` ends everybody, and is told to everybody as `failed`.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace tw {

static_assert(std::endian::native == std::endian::little, "the wire is little-endian and written as it lies");

inline constexpr std::uint32_t kStoreVersion = 1;
inline constexpr std::uint32_t kMaxRunIdBytes = 256;
inline constexpr std::uint32_t kMaxKeyBytes = 128;
inline constexpr std::uint32_t kMaxValueBytes = 16u << 20;
inline constexpr std::size_t kMaxStoreKeys = 1u << 20;
inline constexpr std::size_t kMaxStoreBytes = std::size_t{1} << 30;

struct StoreHello {
  char magic[8] = {'T', 'W', 'S', 'T', 'O', 'R', 'E', 0};
  std::uint32_t version = kStoreVersion;
  std::uint32_t rank = 0;
  std::uint32_t ranks = 0;
  std::uint32_t run_id_bytes = 0;
};
static_assert(sizeof(StoreHello) == 24);

enum class StoreVerb : std::uint32_t { set = 1, get = 2, bye = 3, fail = 4 };

struct StoreRequest {
  StoreVerb verb = StoreVerb::bye;
  std::uint32_t key_bytes = 0;
  std::uint32_t value_bytes = 0;
  std::uint32_t culprit = 0;  ///< of a failure, whose words are the value
};
static_assert(sizeof(StoreRequest) == 16);

/// `again`: this meeting is over for that rank; another may follow at the same place.
enum class StoreAnswer : std::uint32_t { welcome = 1, value = 2, refused = 3, failed = 4, again = 5 };

struct StoreReply {
  StoreAnswer answer = StoreAnswer::welcome;
  std::uint32_t bytes = 0;
  std::uint32_t culprit = 0;  ///< of a failure
  std::uint32_t reserved = 0;
};
static_assert(sizeof(StoreReply) == 16);

}  // namespace tw
