// What is exchanged: parameters, runs of them, and buckets of runs; who codes them; which step it is.
//
// A trainer registers its parameters once (`Param`), then hands over gradients as `Bucket`s of `Piece`s. Nothing here
// owns memory: views point into the trainer's tensors, which must stay alive and unchanged until the bucket's `Work` is
// done.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace tw {

/// Element types that travel. Gradients are f32, f16 or bf16; u8 and u32 are for bytes and indices.
enum class DType : std::uint8_t { f32 = 0, f16 = 1, bf16 = 2, u8 = 3, u32 = 4 };

/// Bytes of one element.
constexpr std::size_t bytes_of(DType dtype) {
  switch (dtype) {
    case DType::f32:
    case DType::u32:
      return 4;
    case DType::f16:
    case DType::bf16:
      return 2;
    case DType::u8:
      return 1;
  }
  return 0;
}

/// The type's name as users write it: "f32", "f16", "bf16", "u8", "u32".
const char* name_of(DType dtype);

/// A contiguous run of `count` elements that somebody else owns. Null `data` means absent: it codes as zeros.
struct TensorView {
  void* data = nullptr;
  DType dtype = DType::f32;
  std::uint64_t count = 0;

  std::size_t bytes() const { return count * bytes_of(dtype); }
};

/// One trainable tensor, registered once and the same on all ranks. `rows x cols` is its matrix shape (a vector is
/// 1 x n); `id` is its index in the registered table.
struct Param {
  std::string name;
  std::uint32_t id = 0;
  std::uint64_t rows = 1;
  std::uint64_t cols = 0;
  DType dtype = DType::f32;

  std::uint64_t count() const { return rows * cols; }
};

/// A run of one parameter: elements [first, first + data.count).
struct Piece {
  const Param* param = nullptr;
  std::uint64_t first = 0;
  TensorView data;
};

/// The unit of work: pieces that are all-reduced together. `id` is the bucket's index in the registered plan.
struct Bucket {
  std::uint32_t id = 0;
  std::span<const Piece> pieces;
};

/// Who encodes: the rank that computed a gradient, or the owner that re-encodes the mean.
enum class Hop : std::uint8_t { worker = 0, owner = 1 };

/// All that a codec's random numbers may depend on besides parameter and element. When decoding, the *sender's* key.
struct EncodeKey {
  std::uint64_t seed = 0;
  std::uint64_t step = 0;
  std::uint32_t rank = 0;
  Hop hop = Hop::worker;
};

/// What the trainer says of the step it begins.
struct StepInfo {
  std::uint64_t step = 0;
  double learning_rate = 0;
  double loss_scale = 1;
};

}  // namespace tw
