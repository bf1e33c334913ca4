// Three interleaved streams hide the three-cycle latency of the crc32 instruction: one stream is about 6 GB/s, three
// saturate memory. The three partial CRCs are joined by shifting (multiplying by x^(8*bytes) modulo the polynomial).
#include "kernels/base/crc32c.hpp"

#include <array>
#include <cstring>

#include "kernels/math/crc.hpp"

namespace tw {
namespace {

constexpr std::array<std::uint32_t, 256> make_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) table[byte] = crc_of_byte(byte);
  return table;
}
constexpr auto kTable = make_table();

// The register without the initial and final xor.
std::uint32_t update_by_table(std::uint32_t state, const std::byte* data, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; ++i)
    state = kTable[(state ^ std::to_integer<std::uint32_t>(data[i])) & 0xff] ^ (state >> 8);
  return state;
}

#if defined(__x86_64__)
constexpr std::size_t kLaneBytes = 4096;  // a multiple of 8; three lanes make one block
constexpr std::uint32_t kShiftOneLane = crc_power_of_bytes(kLaneBytes);
constexpr std::uint32_t kShiftTwoLanes = crc_power_of_bytes(2 * kLaneBytes);

std::uint64_t load64(const std::byte* data) {
  std::uint64_t word;
  std::memcpy(&word, data, sizeof word);
  return word;
}

__attribute__((target("sse4.2"))) std::uint32_t update_by_instruction(std::uint32_t state, const std::byte* data,
                                                                      std::size_t bytes) {
  while (bytes >= 3 * kLaneBytes) {
    std::uint64_t a = state, b = 0, c = 0;
    for (std::size_t i = 0; i < kLaneBytes; i += 8) {
      a = __builtin_ia32_crc32di(a, load64(data + i));
      b = __builtin_ia32_crc32di(b, load64(data + kLaneBytes + i));
      c = __builtin_ia32_crc32di(c, load64(data + 2 * kLaneBytes + i));
    }
    state = crc_product(kShiftTwoLanes, static_cast<std::uint32_t>(a)) ^
            crc_product(kShiftOneLane, static_cast<std::uint32_t>(b)) ^ static_cast<std::uint32_t>(c);
    data += 3 * kLaneBytes;
    bytes -= 3 * kLaneBytes;
  }
  std::uint64_t wide = state;
  for (; bytes >= 8; data += 8, bytes -= 8) wide = __builtin_ia32_crc32di(wide, load64(data));
  return update_by_table(static_cast<std::uint32_t>(wide), data, bytes);
}

std::uint32_t update(std::uint32_t state, const std::byte* data, std::size_t bytes) {
  static const bool has_instruction = __builtin_cpu_supports("sse4.2");
  return has_instruction ? update_by_instruction(state, data, bytes) : update_by_table(state, data, bytes);
}
#else
std::uint32_t update(std::uint32_t state, const std::byte* data, std::size_t bytes) {
  return update_by_table(state, data, bytes);
}
#endif

}  // namespace

std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t crc) {
  return ~update(~crc, bytes.data(), bytes.size());
}

std::uint32_t crc32c_reference(std::span<const std::byte> bytes, std::uint32_t crc) {
  return ~update_by_table(~crc, bytes.data(), bytes.size());
}

std::uint32_t crc32c_combine(std::uint32_t crc_a, std::uint32_t crc_b, std::uint64_t bytes_b) {
  return crc_product(crc_power_of_bytes(bytes_b), crc_a) ^ crc_b;
}

}  // namespace tw
