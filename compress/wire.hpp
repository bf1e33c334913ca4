// Frames: what travels. One frame per (bucket, codec, hop, chunk): an 80-byte little-endian header, a table of u32 body
// lengths unless the codec is fixed_size, then the runs' bodies, each 16-byte aligned. compress/FORMAT.md is the
// definition. Everything foreign is validated here, in every build type, before anything of it is used.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "compress/codec.hpp"
#include "kernels/frame.hpp"

namespace tw {

inline constexpr std::uint32_t kFrameMagic = 0x31575754;  // "TWW1"
inline constexpr std::uint16_t kFrameVersion = 1;
inline constexpr std::size_t kFrameHeaderBytes = 80;

/// Everything a receiver knows of a frame before it arrives. A frame that differs in any of it is refused.
struct FrameId {
  std::uint32_t communicator = 0;
  std::uint16_t codec = 0;
  DType dtype = DType::f32;
  Hop hop = Hop::worker;
  std::uint64_t plan_hash = 0;
  std::uint64_t codec_hash = 0;
  std::uint32_t epoch = 0;
  std::uint32_t bucket = 0;
  std::uint64_t step = 0;
  std::uint32_t chunk = 0;
  std::uint32_t source = 0;  ///< the sending rank
};

/// Where the bodies of a chunk lie. Made once from the plan; the same on sender and receiver.
class FrameLayout {
 public:
  FrameLayout(const Codec& codec, std::vector<Extent> extents);

  std::span<const Extent> extents() const { return extents_; }
  bool fixed_size() const { return fixed_size_; }
  /// Bytes of the largest frame, header included; of every frame when fixed_size.
  std::size_t max_frame_bytes() const { return max_frame_bytes_; }
  /// Room for body i inside a frame buffer of max_frame_bytes, while encoding.
  std::span<std::byte> body_room(std::span<std::byte> frame, std::size_t i) const;

 private:
  friend std::size_t seal_frame(const FrameId&, const FrameLayout&, Checksum, std::span<const std::uint32_t>,
                                std::span<std::byte>);
  friend void split_frame(const FrameId&, const FrameLayout&, std::span<const std::byte>,
                          std::span<std::span<const std::byte>>);
  friend void open_frame(const FrameId&, const FrameLayout&, Checksum, std::span<const std::byte>,
                         std::span<std::span<const std::byte>>);
  std::vector<Extent> extents_;
  std::vector<std::size_t> offsets_;  // of each body's room; one more: the end
  bool fixed_size_;
  std::size_t max_frame_bytes_;
};

/// The header of a frame of fixed size, but for its checksum: for frames that lie on a device (kernels/frame.hpp).
/// `recorded_step`, where it is not null, stands for id.step (`Context::recorded_step`).
FrameHeader header_of_fixed_size(const FrameId& id, const FrameLayout& layout, Checksum checksum,
                                 const std::uint64_t* recorded_step = nullptr);

/// Completes a frame whose bodies were encoded into their rooms: moves bodies of variable size together, writes table,
/// header and checksum. Returns the bytes to send.
std::size_t seal_frame(const FrameId& id, const FrameLayout& layout, Checksum checksum,
                       std::span<const std::uint32_t> body_bytes, std::span<std::byte> frame);

/// Checks a received frame against what was expected and fills `bodies` (one span an extent) with views into it.
/// Throws WireError that names the first field that differs, both values and the source rank. Bodies still have to
/// pass `Codec::validate`.
void open_frame(const FrameId& expected, const FrameLayout& layout, Checksum checksum, std::span<const std::byte> frame,
                std::span<std::span<const std::byte>> bodies);

/// The part of `open_frame` that finds the bodies, for frames whose header and checksum need no look: those that this
/// rank sealed itself. Throws WireError where the bodies do not fill the frame.
void split_frame(const FrameId& id, const FrameLayout& layout, std::span<const std::byte> frame,
                 std::span<std::span<const std::byte>> bodies);

}  // namespace tw
