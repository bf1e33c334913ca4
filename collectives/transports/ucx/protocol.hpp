// What ranks say to each other over UCX. Native byte order: ranks whose cards differ in it refuse each other.
//
//   data     DataHeader, then the message or a part of it; parts follow one another without a gap. Sequence numbers
//            count what one rank sends to another, messages and parts, from 0.
//   control  ControlHeader, then text for people (abort only).
#pragma once

#include <cstdint>

#include "collectives/transports/ucx/host.hpp"

namespace tw::ucx {

/// Ids of the active messages.
enum class MessageId : unsigned { data = 1, control = 2 };

struct DataHeader {
  std::uint64_t job;  ///< of all ranks of one connect
  std::uint64_t tag;
  std::uint64_t bytes;   ///< of the whole message
  std::uint64_t offset;  ///< of this part in it
  std::uint64_t sequence;
  std::uint32_t source;
  std::uint32_t reserved;
};

enum class ControlKind : std::uint32_t {
  hello = 1,      ///< the first message over a connection
  welcome = 2,    ///< answers a hello
  heartbeat = 3,  ///< so that silence means something
  leave = 4,      ///< closes its transport; nothing follows
  farewell = 5,   ///< answers a leave or an abort: all that came before it is here
  abort = 6       ///< gives up because of `culprit`
};

struct ControlHeader {
  std::uint64_t job;
  std::uint64_t sequence;  ///< messages and parts sent to this peer so far
  std::uint32_t source;
  ControlKind kind;
  std::uint32_t culprit;
  std::uint32_t reserved;
};

inline constexpr std::uint64_t kCardMagic = 0x3130'5855'4354'5754;  // "TWTCUX01", read as it stands in memory

/// A rank, to all others, through the bootstrap.
struct Card {
  std::uint64_t magic = kCardMagic;  ///< says "ucx", its protocol version, and the byte order
  std::uint64_t job = 0;             ///< that of rank 0 counts
  HostIdentity host;
  std::int64_t process = 0;
  std::uint32_t hosts_apart = 0;  ///< 1: every rank counts as a host of its own
  std::uint32_t reserved = 0;
};

}  // namespace tw::ucx
