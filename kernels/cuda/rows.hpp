// Rows of 128 elements in the registers of a warp, four neighbours a lane: lane l holds elements 4l..4l+3 of each.
#pragma once

#include <cstdint>

#include "kernels/cuda/warp.hpp"

namespace tw::cuda {

inline constexpr unsigned kRow = 128;

/// Four neighbours.
struct alignas(16) Quad {
  float at[4];
  __device__ float& operator[](unsigned k) { return at[k]; }
  __device__ const float& operator[](unsigned k) const { return at[k]; }
  __device__ float4 words() const { return {at[0], at[1], at[2], at[3]}; }
};

/// `rows` rows. Elements past the end of what is loaded are zeros, and are not stored.
template <unsigned rows>
struct Rows {
  static constexpr unsigned kElements = rows * kRow;

  Quad row[rows];

  __device__ Quad& operator[](unsigned r) { return row[r]; }
  __device__ const Quad& operator[](unsigned r) const { return row[r]; }

  __device__ static Rows filled(float value) {
    Rows x;
    for (unsigned r = 0; r < rows; ++r) x.row[r] = {{value, value, value, value}};
    return x;
  }

  /// The first `count` elements from `from` on, which `aligned` says to be on 16 bytes.
  __device__ void load(const float* from, std::uint64_t count, bool aligned) {
#pragma unroll
    for (unsigned r = 0; r < rows; ++r) {
      const unsigned i = r * kRow + 4 * lane();
      if (aligned && i + 4 <= count)
        row[r] = *reinterpret_cast<const Quad*>(from + i);
      else
        for (unsigned k = 0; k < 4; ++k) row[r][k] = i + k < count ? from[i + k] : 0.0f;
    }
  }

  __device__ void store(float* to, std::uint64_t count, bool aligned) const {
#pragma unroll
    for (unsigned r = 0; r < rows; ++r) {
      const unsigned i = r * kRow + 4 * lane();
      if (aligned && i + 4 <= count)
        __stwb(reinterpret_cast<float4*>(to + i), row[r].words());  // nvcc splits a plain store, to share its parts
      else
        for (unsigned k = 0; k < 4; ++k)
          if (i + k < count) to[i + k] = row[r][k];
    }
  }
};

inline bool on_16_bytes(const void* address) { return reinterpret_cast<std::uintptr_t>(address) % 16 == 0; }

/// Up to 512 bytes of a body on their way between a warp's 16-byte accesses and its words: in shared memory.
struct alignas(16) Staged {
  std::uint32_t words[kRow];

  /// The first `bytes` from `from` on, which is on 16 bytes, and zeros. By all lanes.
  __device__ void load(const void* from, std::uint64_t bytes) {
    const unsigned at = 16 * lane();
    const auto* source = static_cast<const std::uint8_t*>(from) + at;
    alignas(16) std::uint32_t own[4] = {};
    if (at + 16 <= bytes) {
      *reinterpret_cast<uint4*>(own) = *reinterpret_cast<const uint4*>(source);
    } else if (at < bytes) {
      for (unsigned i = 0; i < 16; ++i) own[i / 4] |= (at + i < bytes ? source[i] : 0u) << (8 * (i % 4));
    }
    __syncwarp();  // the last reads of what was here
    *reinterpret_cast<uint4*>(&words[at / 4]) = {own[0], own[1], own[2], own[3]};
    __syncwarp();
  }

  /// The first `bytes` to `to`, which is on 16 bytes or else, like `bytes`, a multiple of 4. By all lanes.
  __device__ void store(void* to, std::uint64_t bytes) const {
    __syncwarp();
    const auto* source = reinterpret_cast<const std::uint8_t*>(words);
    auto* target = static_cast<std::uint8_t*>(to);
    if (reinterpret_cast<std::uintptr_t>(to) % 16 != 0) {
      for (unsigned w = lane(); w < bytes / 4; w += 32) reinterpret_cast<std::uint32_t*>(target)[w] = words[w];
    } else if (const unsigned at = 16 * lane(); at + 16 <= bytes) {
      *reinterpret_cast<uint4*>(target + at) = *reinterpret_cast<const uint4*>(source + at);
    } else {
      for (unsigned i = at; i < bytes && i < at + 16; ++i) target[i] = source[i];
    }
    __syncwarp();  // before others write here
  }
};

}  // namespace tw::cuda
