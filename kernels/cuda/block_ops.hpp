// Ops on blocks that share a unit: a warp encodes a block at a time, and decodes a tile of 512 elements at a time.
//
// An encoder is the arithmetic of a chunk of rows (kernels/cuda/rows.hpp):
//
//   begun()                           itself, with what a thread looks up once
//   Norm                              add(Quad), total(): LargestMagnitude or LaneSums (kernels/cuda/norms.hpp)
//   scale(total, count)               of the block; has a member `unit`
//   encode(staged, first, x, scale)   puts the codes of x, elements first.. of the run, among the staged bytes, and
//                                     leaves in x what was lost: x - value
//   to(first), bytes(count)           where the bytes of elements first.. go, and how many they are
//
// A decoder is from(first), bytes(count), and Quad decode(staged, r, factor).
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/base/check.hpp"
#include "kernels/base/operands.hpp"
#include "kernels/cuda/findings.hpp"
#include "kernels/cuda/launch.hpp"
#include "kernels/cuda/rows.hpp"

namespace tw::cuda {

/// What is encoded: values, or values + residual_in.
struct BlockInput {
  const float* values;
  const float* residual_in = nullptr;
  float* residual_out = nullptr;
  bool aligned = false;      ///< both inputs, to 16 bytes
  bool aligned_out = false;  ///< the new residual

  static BlockInput of(std::span<const float> values) {
    return {values.data(), nullptr, nullptr, on_16_bytes(values.data())};
  }
  static BlockInput of(std::span<const float> values, Feedback feedback) {
    const float *x = values.data(), *in = feedback.residual_in.data();
    float* out = feedback.residual_out.data();
    return {x, in, out, on_16_bytes(x) && on_16_bytes(in), on_16_bytes(out)};
  }
};

struct BlockCut {
  std::uint64_t count;  ///< elements of the run
  std::uint64_t block;  ///< of them a block, the last of which may be short

  /// The same for kernels: where there is one block, it is as long as the run, so that no product overflows. Throws
  /// UsageError where blocks are longer than kernels count.
  BlockCut checked() const {
    constexpr std::uint64_t kMost = 0xffffffff;
    const std::uint64_t longest = std::min(block, count);
    TW_CHECK(longest <= kMost && longest <= ~std::uint64_t{0} / std::max<std::uint64_t>(count, 1), UsageError,
             "blocks of ", block, " elements in a run of ", count, ": CUDA takes fewer than 2^32 a block");
    return {count, longest};
  }
};

template <bool feedback, unsigned rows>
__device__ Rows<rows> load_chunk(const BlockInput& in, std::uint64_t first, std::uint64_t count) {
  Rows<rows> x;
  x.load(in.values + first, count, in.aligned);
  if constexpr (feedback) {
    Rows<rows> residual;
    residual.load(in.residual_in + first, count, in.aligned);
    for (unsigned r = 0; r < rows; ++r)
      for (unsigned k = 0; k < 4; ++k) x[r][k] = x[r][k] + residual[r][k];
  }
  return x;
}

/// Threads: a warp takes blocks in grid strides, in chunks of `rows` rows, four neighbours a lane. Its norm first, then
/// the codes from the last chunk, which is still in registers, to the first: a block of one chunk is read once, others
/// a second time, from L1 or L2. A block is never shared by
/// warps: few large ones leave most of a device idle. Shared memory: 512 bytes a warp, where codes become 16-byte
/// stores. Bytes: 4 read an element (with feedback 8, and 4 written), its code and 4 a block written. Deterministic:
/// one warp a block, and sums by kernels/math/lanes.hpp.
template <bool feedback, unsigned rows, class Encoder>
struct EncodeKernel {
  Encoder encoder;
  BlockInput in;
  BlockCut cut;
  float* units;
  std::uint32_t* status;

  __device__ void operator()(Grid grid) const {
    __shared__ Staged staging[kWarps];
    Staged& staged = staging[threadIdx.x / 32];
    constexpr unsigned kChunk = Rows<rows>::kElements;
    Findings findings;
    const auto& own = encoder.begun();
    const std::uint64_t warps = grid.threads() / 32;
    std::uint64_t b = grid.thread() / 32;
    for (std::uint64_t begin = b * cut.block; begin < cut.count; b += warps, begin += warps * cut.block) {
      const auto count = static_cast<unsigned>(min(cut.block, cut.count - begin));
      typename Encoder::Norm norm;
      Rows<rows> x;
      unsigned at = 0;
      for (;; at += kChunk) {
        x = load_chunk<feedback, rows>(in, begin + at, count - at);
        for (unsigned r = 0; r < rows; ++r) norm.add(x[r]);
        if (count - at <= kChunk) break;
      }
      const auto scale = own.scale(norm.total(), count);
      findings.look(scale.unit);
      if (lane() == 0) units[b] = scale.unit;
      for (;; at -= kChunk) {
        const unsigned left = min(count - at, kChunk);
        own.encode(staged, begin + at, x, scale);
        if constexpr (feedback) x.store(in.residual_out + begin + at, left, in.aligned_out);
        staged.store(own.to(begin + at), own.bytes(left));
        if (at == 0) break;
        x = load_chunk<feedback, rows>(in, begin + at - kChunk, kChunk);
      }
    }
    findings.report(status);
  }
};

/// Enqueues it. Blocks of up to 512 elements stay in registers.
template <class Encoder>
void encode_blocks(const Exec& exec, const Encoder& encoder, const BlockInput& in, BlockCut cut, float* units) {
  if (cut.count == 0) return;
  const BlockCut checked = cut.checked();
  const std::uint64_t blocks = (cut.count - 1) / checked.block + 1, items = (blocks + kWarps - 1) / kWarps;
  const auto with = [&]<bool feedback, unsigned rows> {
    launch(exec, EncodeKernel<feedback, rows, Encoder>{encoder, in, checked, units, exec.status}, items);
  };
  if (in.residual_in == nullptr)
    cut.block <= 256 ? with.template operator()<false, 2>() : with.template operator()<false, 4>();
  else
    cut.block <= 256 ? with.template operator()<true, 2>() : with.template operator()<true, 4>();
}

/// units[i / block] of element i, without a division: exact where i * block < 2^64 (BlockCut::checked).
struct UnitsByElement {
  const float* units;
  std::uint64_t inverse;  ///< 2^64 / block, upwards

  UnitsByElement(const float* of, BlockCut cut) : units(of), inverse(~std::uint64_t{0} / cut.block + 1) {}
  __device__ float operator[](std::uint64_t element) const { return units[__umul64hi(element, inverse)]; }
};

/// Threads: a warp takes tiles of 512 elements in grid strides, four neighbours of each row a lane; half its lanes load
/// the units of the 16 groups of 32. Shared memory: 512 bytes a warp, where 16-byte loads become codes. Bytes: 4
/// written an element (adding: 4 read too), its code and 4 a block read. Deterministic: elements do not meet.
template <class Decoder>
struct DecodeKernel {
  Decoder decoder;
  UnitsByElement units;
  Blend how;
  float* out;
  std::uint64_t count;
  bool aligned;

  using Tile = Rows<4>;
  static constexpr std::uint64_t kElementsABlock = kWarps * Tile::kElements;

  __device__ void operator()(Grid grid) const {
    __shared__ Staged staging[kWarps];
    Staged& staged = staging[threadIdx.x / 32];
    std::uint64_t first = grid.thread() / 32 * Tile::kElements;
    for (; first < count; first += grid.blocks * kElementsABlock) {
      const auto left = static_cast<unsigned>(min(count - first, std::uint64_t{Tile::kElements}));
      Tile x = Tile::filled(-0.0f);  // -0 + value is value
      if (how.combine == Combine::add) x.load(out + first, left, aligned);
      const float factor = 32 * lane() < left ? how.scale * units[first + 32 * lane()] : 0.0f;
      staged.load(decoder.from(first), decoder.bytes(left));
#pragma unroll
      for (unsigned r = 0; r < 4; ++r) {
        const Quad value = decoder.decode(staged, r, __shfl_sync(kAllLanes, factor, 4 * r + lane() / 8));
        for (unsigned k = 0; k < 4; ++k) x[r][k] = x[r][k] + value[k];
      }
      x.store(out + first, left, aligned);
    }
  }
};

template <class Decoder>
void decode_blocks(const Exec& exec, const Decoder& decoder, const float* units, std::uint64_t block, Blend how,
                   std::span<float> out) {
  using Kernel = DecodeKernel<Decoder>;
  if (out.empty()) return;
  const UnitsByElement by_element(units, BlockCut{out.size(), block}.checked());
  launch(exec, Kernel{decoder, by_element, how, out.data(), out.size(), on_16_bytes(out.data())},
         (out.size() + Kernel::kElementsABlock - 1) / Kernel::kElementsABlock);
}

}  // namespace tw::cuda
