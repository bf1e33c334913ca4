// What the rest shares: PTX types, state spaces, the decoded instruction.
#pragma once
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace ptxrun {

constexpr std::uint32_t kFull = 0xffffffffu;
constexpr int kLanes = 32;

enum class Type : std::uint8_t {
  none,
  pred,
  b8,
  b16,
  b32,
  b64,
  b128,
  u8,
  u16,
  u32,
  u64,
  s8,
  s16,
  s32,
  s64,
  f16,
  bf16,
  f16x2,
  bf16x2,
  f32,
  f64,
  e4m3x2,
  e5m2x2,
  tf32
};

enum class Space : std::uint8_t { generic, global, shared, local, param, constant };

// Counter classes of the report.
enum class Class : std::uint8_t {
  global_load,
  global_store,
  atomic,
  shared,
  local,
  integer,
  floating,
  convert,
  control,
  sync,
  special,
  move,
  count
};

inline unsigned size_of(Type t) {
  switch (t) {
    case Type::b8:
    case Type::u8:
    case Type::s8:
      return 1;
    case Type::b16:
    case Type::u16:
    case Type::s16:
    case Type::f16:
    case Type::bf16:
    case Type::e4m3x2:
    case Type::e5m2x2:
      return 2;
    case Type::b64:
    case Type::u64:
    case Type::s64:
    case Type::f64:
      return 8;
    case Type::b128:
      return 16;
    case Type::none:
      return 0;
    default:
      return 4;  // 32-bit types, packed pairs; a predicate is one mask for the warp
  }
}
inline bool is_signed(Type t) { return t == Type::s8 || t == Type::s16 || t == Type::s32 || t == Type::s64; }
inline bool is_float(Type t) { return t >= Type::f16; }
Type parse_type(std::string_view name);  // Type::none when it is not one

// Generic addresses: global ones are the addresses the program sees; the other spaces lie in windows no host
// pointer can be in.
constexpr std::uint64_t kSharedWindow = 0x0100000000000000ull;
constexpr std::uint64_t kLocalWindow = 0x0200000000000000ull;
constexpr std::uint64_t kParamWindow = 0x0300000000000000ull;
constexpr std::uint64_t kCodeWindow = 0x0400000000000000ull;
constexpr std::uint64_t kWindowMask = 0xff00000000000000ull;

struct Warp;
struct Inst;
using Handler = void (*)(Warp&, const Inst&, std::uint32_t mask);

// A reference to 32 lanes of one operand: the top two bits choose registers, constants or special registers.
constexpr std::uint32_t kRefConstant = 1u << 30, kRefSpecial = 2u << 30, kRefOffset = kRefConstant - 1, kNoRef = ~0u;

struct Inst {
  Handler fn = nullptr;
  std::uint32_t dst[4] = {kNoRef, kNoRef, kNoRef, kNoRef};  // of a store: the data
  std::uint32_t src[4] = {kNoRef, kNoRef, kNoRef, kNoRef};  // of a memory access: src[0] is the address
  std::int64_t imm = 0;          // address offset, branch target, or small operation parameters
  std::uint32_t guard = kNoRef;  // predicate register
  std::uint32_t line = 0;        // in the PTX text
  std::uint32_t source = 0;      // .loc: file << 20 | line
  std::uint8_t guard_negated = 0;
  std::uint8_t vec = 1;    // elements of a vector access
  std::uint8_t size = 0;   // bytes of one element
  std::uint8_t flags = 0;  // of memory: kStrong...; of setp: the boolean combination
  Space space = Space::generic;
  Class klass = Class::integer;
  std::uint8_t width = 0;          // of a memory access: bytes of a data register
  mutable std::uint32_t hint = 0;  // allocation last hit, index
};
constexpr std::uint8_t kStrong = 1, kWrite = 2, kAtomic = 4, kShortAddress = 8, kAligned = 16;

struct Unsupported : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace ptxrun
