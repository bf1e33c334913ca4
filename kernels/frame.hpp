// Headers of frames where the frames lie: written before a body, and compared with what was expected.
//
//   seal:   header, its last word the CRC-32C of its other words and then of the body (0 without checksum)
//   check:  sets kStatusBadFrame where a word of the header, or the checksum, is another
//
// compress/FORMAT.md says what the words are. The CRC is linear over GF(2) (kernels/math/crc.hpp): with n the bytes of
// the body, R its register from 0, and H the CRC of the header's other words,
//
//   crc = x^(8n) * (H ^ ffffffff) ^ ffffffff ^ R;      R = sum over parts of x^(8 * bytes behind the part) * R(part)
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/base/kernel.hpp"

namespace tw {

enum class Checksum : std::uint8_t { none, crc32c };

/// As it travels, but for the last word, which is the ops' own.
struct FrameHeader {
  static constexpr std::size_t kWords = 20, kBytes = 4 * kWords;
  static constexpr std::size_t kStepWord = 8;  ///< the step's low half; the high one follows

  std::array<std::uint32_t, kWords> words;
  /// Whose step takes the place of the words' when a kernel runs (kernels/math/step.hpp); null: they hold it.
  const std::uint64_t* recorded_step = nullptr;
};

/// `frame` is the header's room and the body: on 16 bytes, a multiple of 16 long. `found` are the status words of the
/// foreign frames that the body was made of: where one of them was bad the body must not pass for a good one, and the
/// header is one that nobody expects.
using SealInPlace = void(const Exec&, const FrameHeader&, Checksum, std::span<const std::uint32_t> found,
                         std::span<std::byte> frame);
/// The header's last word is used for the computation: what is there afterwards is of no use.
using CheckInPlace = void(const Exec&, const FrameHeader& expected, Checksum, std::span<std::byte> frame);

namespace reference {
SealInPlace seal_in_place;
CheckInPlace check_in_place;
}  // namespace reference
namespace cuda {
SealInPlace seal_in_place;
CheckInPlace check_in_place;
}  // namespace cuda

/// In front of a body that other ops wrote; and of a frame that came from elsewhere.
inline constexpr Kernel<SealInPlace> seal_in_place{reference::seal_in_place, reference::seal_in_place,
                                                   cuda::seal_in_place};
inline constexpr Kernel<CheckInPlace> check_in_place{reference::check_in_place, reference::check_in_place,
                                                     cuda::check_in_place};

}  // namespace tw
