// Bytes an element of `bits` bits, read and written, besides 4 a block: encode 4 + bits/8, with feedback 8 + 4 +
// bits/8, decode bits/8 + 4 (adding: 4 + bits/8 + 4). Four neighbours share the random words of one counter.
#include <cmath>

#include "kernels/cuda/block_ops.hpp"
#include "kernels/cuda/norms.hpp"
#include "kernels/cuda/planes.hpp"
#include "kernels/dither.hpp"
#include "kernels/math/levels.hpp"
#include "kernels/math/step.hpp"

namespace tw::cuda {
namespace {

struct Square {
  __device__ double operator()(float value) const { return static_cast<double>(value) * static_cast<double>(value); }
};

__device__ float norm_of(float largest) { return largest; }
__device__ float norm_of(double squares) { return static_cast<float>(std::sqrt(squares)); }

struct Planes {
  std::uint32_t bits;

  __device__ std::uint64_t word(std::uint64_t first) const { return first / 32 * bits; }
  __device__ unsigned bytes(unsigned count) const { return (count + 31) / 32 * bits * 4; }
  __device__ std::int32_t levels() const { return (1 << (bits - 1)) - 1; }
};

template <class NormOfBlock>
struct DitherEncoder : Planes {
  std::uint32_t* words;
  DitherNoise noise;

  using Norm = NormOfBlock;
  __device__ DitherEncoder begun() const {
    DitherEncoder own = *this;
    own.noise.words = at_recorded_step(noise.words, noise.recorded_step);
    return own;
  }
  template <class Total>
  __device__ BlockScale scale(Total total, unsigned) const {
    return block_scale(norm_of(total), static_cast<float>(levels()));
  }

  template <unsigned rows>
  __device__ void encode(Staged& staged, std::uint64_t first, Rows<rows>& x, BlockScale scale) const {
#pragma unroll
    for (unsigned r = 0; r < rows; ++r) {
      const std::uint32_t codes = encode(first + r * kRow + 4 * lane(), x[r], scale);
      const std::uint32_t word = gathered_plane(planes_of_codes(codes));
      if (plane_of_lane() < bits) staged.words[(4 * r + lane() / 8) * bits + plane_of_lane()] = word;
    }
  }
  __device__ std::uint32_t encode(std::uint64_t first, Quad& x, BlockScale scale) const {
    const PhiloxCounter random = noise.words.quad((noise.first + first) / 4);
    std::uint32_t codes = 0;
    for (unsigned k = 0; k < 4; ++k) {
      const std::int32_t code = dithered_level(x[k], scale.inverse, levels(), random[k]);
      codes |= (static_cast<std::uint32_t>(code) & 0xffu) << byte_shift(k);
      x[k] = x[k] - static_cast<float>(code) * scale.unit;
    }
    return scale.inverse == 0.0f ? 0 : codes;
  }
  __device__ void* to(std::uint64_t first) const { return words + word(first); }
};

struct DitherDecoder : Planes {
  const std::uint32_t* words;

  __device__ Quad decode(const Staged& staged, unsigned r, float factor) const {
    const std::uint32_t* group = &staged.words[(4 * r + lane() / 8) * bits];
    std::uint32_t nibbles = 0, nibble = 0;
    for (unsigned plane = 0; plane < bits; ++plane) {
      nibble = group[plane] >> (4 * (lane() % 8)) & 0xfu;
      nibbles |= nibble << (4 * plane);
    }
    nibbles |= nibble * (0x11111111u << (4 * (bits - 1)));  // the sign, upwards
    const std::uint32_t codes = codes_of_planes(nibbles);
    Quad value;
    for (unsigned k = 0; k < 4; ++k)
      value[k] = static_cast<float>(static_cast<std::int8_t>(codes >> byte_shift(k) & 0xffu)) * factor;
    return value;
  }
  __device__ const void* from(std::uint64_t first) const { return words + word(first); }
};

void encode(const Exec& exec, BlockInput in, BlockCut cut, Norm norm, const DitherNoise& noise, DitherBody body) {
  const auto with = [&](auto encoder) { encode_blocks(exec, encoder, in, cut, body.units.data()); };
  if (norm == Norm::max)
    with(DitherEncoder<LargestMagnitude>{{body.bits}, body.words.data(), noise});
  else
    with(DitherEncoder<LaneSums<double, Square>>{{body.bits}, body.words.data(), noise});
}

}  // namespace

void encode_dithered(const Exec& exec, std::span<const float> values, Norm norm, DitherNoise noise, DitherBody body) {
  encode(exec, BlockInput::of(values), {values.size(), body.block}, norm, noise, body);
}

void encode_dithered_feedback(const Exec& exec, std::span<const float> values, Feedback feedback, Norm norm,
                              DitherNoise noise, DitherBody body) {
  encode(exec, BlockInput::of(values, feedback), {values.size(), body.block}, norm, noise, body);
}

void decode_dithered(const Exec& exec, DitherView body, Blend how, std::span<float> out) {
  decode_blocks(exec, DitherDecoder{{body.bits}, body.words.data()}, body.units.data(), body.block, how, out);
}

}  // namespace tw::cuda
