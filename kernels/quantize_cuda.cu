// Bytes an element, read and written, besides 4 a block: encode 4 + 1, with feedback 8 + 5, decode 1 + 4 (adding: 5 +
// 4).
#include "kernels/cuda/block_ops.hpp"
#include "kernels/cuda/norms.hpp"
#include "kernels/math/levels.hpp"
#include "kernels/quantize.hpp"

namespace tw::cuda {
namespace {

constexpr float kLevels = 127.0f;

struct Int8Encoder {
  std::int8_t* codes;

  using Norm = LargestMagnitude;
  __device__ const Int8Encoder& begun() const { return *this; }
  __device__ BlockScale scale(float largest, unsigned) const { return block_scale(largest, kLevels); }
  template <unsigned rows>
  __device__ void encode(Staged& staged, std::uint64_t, Rows<rows>& x, BlockScale scale) const {
#pragma unroll
    for (unsigned r = 0; r < rows; ++r) staged.words[r * 32 + lane()] = encode(x[r], scale);
  }
  __device__ std::uint32_t encode(Quad& x, BlockScale scale) const {
    std::uint32_t word = 0;
    for (unsigned k = 0; k < 4; ++k) {
      const float level = nearest_level(x[k], scale.inverse, kLevels);
      word |= (static_cast<std::uint32_t>(static_cast<std::int32_t>(level)) & 0xffu) << (8 * k);
      x[k] = x[k] - level * scale.unit;
    }
    return scale.inverse == 0.0f ? 0 : word;
  }
  __device__ void* to(std::uint64_t first) const { return codes + first; }
  __device__ unsigned bytes(unsigned count) const { return count; }
};

struct Int8Decoder {
  const std::int8_t* codes;

  __device__ Quad decode(const Staged& staged, unsigned r, float factor) const {
    const std::uint32_t word = staged.words[r * 32 + lane()];
    Quad value;
    for (unsigned k = 0; k < 4; ++k)
      value[k] = static_cast<float>(static_cast<std::int8_t>(word >> (8 * k) & 0xffu)) * factor;
    return value;
  }
  __device__ const void* from(std::uint64_t first) const { return codes + first; }
  __device__ unsigned bytes(unsigned count) const { return count; }
};

}  // namespace

void quantize_int8(const Exec& exec, std::span<const float> values, Int8Body body) {
  encode_blocks(exec, Int8Encoder{body.codes.data()}, BlockInput::of(values), {values.size(), body.block},
                body.units.data());
}

void quantize_int8_feedback(const Exec& exec, std::span<const float> values, Feedback feedback, Int8Body body) {
  encode_blocks(exec, Int8Encoder{body.codes.data()}, BlockInput::of(values, feedback), {values.size(), body.block},
                body.units.data());
}

void dequantize_int8(const Exec& exec, Int8View body, Blend how, std::span<float> out) {
  decode_blocks(exec, Int8Decoder{body.codes.data()}, body.units.data(), body.block, how, out);
}

}  // namespace tw::cuda
