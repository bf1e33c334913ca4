// Bytes an element, read and written, besides 4 a block: encode 4 + 1/8, with feedback 8 + 4 1/8, decode 1/8 + 4
// (adding: 4 1/8 + 4).
#include "kernels/cuda/block_ops.hpp"
#include "kernels/cuda/norms.hpp"
#include "kernels/cuda/planes.hpp"
#include "kernels/signs.hpp"

namespace tw::cuda {
namespace {

struct Magnitude {
  __device__ float operator()(float value) const { return magnitude(value); }
};

__device__ float with_sign(float magnitude, std::uint32_t sign) {
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(magnitude) ^ (sign & kSignBit));
}

struct SignEncoder {
  std::uint32_t* words;

  using Norm = LaneSums<float, Magnitude>;
  __device__ const SignEncoder& begun() const { return *this; }
  struct Scale {
    float unit;
  };
  __device__ Scale scale(float total, unsigned count) const {
    return {is_finite(total) ? total / static_cast<float>(count) : kNan};
  }

  // The signs of a row are a plane.
  template <unsigned rows>
  __device__ void encode(Staged& staged, std::uint64_t, Rows<rows>& x, Scale scale) const {
    std::uint32_t nibbles = 0;
    for (unsigned r = rows; r-- != 0;)
      for (unsigned k = 4; k-- != 0;)
        nibbles = __funnelshift_l(std::bit_cast<std::uint32_t>(x[r][k]), nibbles, 1);  // its sign from the right
    const std::uint32_t word = gathered_plane(is_finite(scale.unit) ? nibbles : 0);
    if (plane_of_lane() < rows) staged.words[4 * plane_of_lane() + lane() / 8] = word;
    for (unsigned r = 0; r < rows; ++r)
      for (unsigned k = 0; k < 4; ++k) x[r][k] = x[r][k] - with_sign(scale.unit, std::bit_cast<std::uint32_t>(x[r][k]));
  }
  __device__ void* to(std::uint64_t first) const { return words + first / 32; }
  __device__ unsigned bytes(unsigned count) const { return (count + 31) / 32 * 4; }
};

struct SignDecoder {
  const std::uint32_t* words;

  __device__ Quad decode(const Staged& staged, unsigned r, float factor) const {
    const std::uint32_t signs = staged.words[4 * r + lane() / 8] >> (4 * (lane() % 8));
    Quad value;
    for (unsigned k = 0; k < 4; ++k) value[k] = with_sign(factor, signs << (31 - k));
    return value;
  }
  __device__ const void* from(std::uint64_t first) const { return words + first / 32; }
  __device__ unsigned bytes(unsigned count) const { return (count + 31) / 32 * 4; }
};

}  // namespace

void encode_signs(const Exec& exec, std::span<const float> values, SignBody body) {
  encode_blocks(exec, SignEncoder{body.words.data()}, BlockInput::of(values), {values.size(), body.block},
                body.units.data());
}

void encode_signs_feedback(const Exec& exec, std::span<const float> values, Feedback feedback, SignBody body) {
  encode_blocks(exec, SignEncoder{body.words.data()}, BlockInput::of(values, feedback), {values.size(), body.block},
                body.units.data());
}

void decode_signs(const Exec& exec, SignView body, Blend how, std::span<float> out) {
  decode_blocks(exec, SignDecoder{body.words.data()}, body.units.data(), body.block, how, out);
}

}  // namespace tw::cuda
