#include "bench/kernels/ops.hpp"

#include <algorithm>
#include <cmath>

#include "bench/codecs.hpp"
#include "kernels/base/place.hpp"
#include "kernels/cast.hpp"
#include "kernels/clear.hpp"
#include "kernels/cuda/stream.hpp"
#include "kernels/dither.hpp"
#include "kernels/feedback.hpp"
#include "kernels/frame.hpp"
#include "kernels/inspect.hpp"
#include "kernels/quantize.hpp"
#include "kernels/reduce.hpp"
#include "kernels/sample.hpp"
#include "kernels/scatter.hpp"
#include "kernels/select.hpp"
#include "kernels/sgd.hpp"
#include "kernels/signs.hpp"

namespace tw {
namespace {

constexpr std::uint64_t kBlock = 256, kDitherBlock = 512;
constexpr std::uint32_t kDitherBits = 4;
constexpr DitherNoise kNoise{{{1, 2}, {3, 4}}, 0};
constexpr Blend kAdd{Combine::add, 1.0f};

std::uint64_t parts(std::uint64_t count, std::uint64_t of) { return (count + of - 1) / of; }

std::pmr::memory_resource& memory_of(const Exec& exec, cuda::DeviceMemory& device) {
  return exec.backend == Backend::cuda ? device : *std::pmr::new_delete_resource();
}

Feedback feedback(OpArrays& b) { return {b.residual_in, b.residual_out}; }
Int8Body int8_body(OpArrays& b) { return {kBlock, b.units.first(parts(b.count, kBlock)), b.codes}; }
SignBody sign_body(OpArrays& b) {
  return {kBlock, b.units.first(parts(b.count, kBlock)), b.words.first(parts(b.count, 32))};
}
DitherBody dither_body(OpArrays& b) {
  return {kDitherBlock, kDitherBits, b.units.first(parts(b.count, kDitherBlock)),
          b.words.first(parts(b.count, 32) * kDitherBits)};
}
SparseBody sparse_body(OpArrays& b) { return {b.indices, b.sparse_values}; }

const BenchmarkedOp kOps[] = {
    {"memcpy", [](const Exec& e, OpArrays& b) { copy<float>(e, b.values, b.out); }},
    {"int8/encode", [](const Exec& e, OpArrays& b) { quantize_int8(e, b.values, int8_body(b)); }},
    {"int8/encode_ef",
     [](const Exec& e, OpArrays& b) { quantize_int8_feedback(e, b.values, feedback(b), int8_body(b)); }},
    {"int8/decode_add",
     [](const Exec& e, OpArrays& b) {
       const Int8Body body = int8_body(b);
       dequantize_int8(e, {body.block, body.units, body.codes}, kAdd, b.out);
     }},
    {"onebit/encode", [](const Exec& e, OpArrays& b) { encode_signs(e, b.values, sign_body(b)); }},
    {"onebit/encode_ef",
     [](const Exec& e, OpArrays& b) { encode_signs_feedback(e, b.values, feedback(b), sign_body(b)); }},
    {"onebit/decode_add",
     [](const Exec& e, OpArrays& b) {
       const SignBody body = sign_body(b);
       decode_signs(e, {body.block, body.units, body.words}, kAdd, b.out);
     }},
    {"qsgd/encode",
     [](const Exec& e, OpArrays& b) { encode_dithered(e, b.values, Norm::max, kNoise, dither_body(b)); }},
    {"qsgd_l2/encode",
     [](const Exec& e, OpArrays& b) { encode_dithered(e, b.values, Norm::l2, kNoise, dither_body(b)); }},
    {"qsgd/encode_ef",
     [](const Exec& e, OpArrays& b) {
       encode_dithered_feedback(e, b.values, feedback(b), Norm::max, kNoise, dither_body(b));
     }},
    {"qsgd/decode_add",
     [](const Exec& e, OpArrays& b) {
       const DitherBody body = dither_body(b);
       decode_dithered(e, {body.block, body.bits, body.units, body.words}, kAdd, b.out);
     }},
    {"bf16/encode", [](const Exec& e, OpArrays& b) { narrow(e, b.values, DType::bf16, b.halves); }},
    {"bf16/encode_ef",
     [](const Exec& e, OpArrays& b) { narrow_feedback(e, b.values, feedback(b), DType::bf16, b.halves); }},
    {"bf16/decode_add", [](const Exec& e, OpArrays& b) { widen(e, b.halves, DType::bf16, kAdd, b.out); }},
    {"bf16/decode", [](const Exec& e, OpArrays& b) { widen(e, b.halves, DType::bf16, {}, b.out); }},
    {"fp16/encode", [](const Exec& e, OpArrays& b) { narrow(e, b.values, DType::f16, b.halves); }},
    {"fp16/encode_ef",
     [](const Exec& e, OpArrays& b) { narrow_feedback(e, b.values, feedback(b), DType::f16, b.halves); }},
    {"fp16/decode_add", [](const Exec& e, OpArrays& b) { widen(e, b.halves, DType::f16, kAdd, b.out); }},
    {"fp16/decode", [](const Exec& e, OpArrays& b) { widen(e, b.halves, DType::f16, {}, b.out); }},
    {"identity/encode", [](const Exec& e, OpArrays& b) { copy_values(e, b.values, b.out); }},
    {"identity/decode_add", [](const Exec& e, OpArrays& b) { blend_values(e, b.values, kAdd, b.out); }},
    {"identity/decode", [](const Exec& e, OpArrays& b) { blend_values(e, b.values, {}, b.out); }},
    {"topk/encode", [](const Exec& e, OpArrays& b) { select_largest(e, b.values, sparse_body(b)); }},
    {"topk/encode_ef",
     [](const Exec& e, OpArrays& b) { select_largest_feedback(e, b.values, feedback(b), sparse_body(b)); }},
    {"topk/encode_ties", [](const Exec& e, OpArrays& b) { select_largest(e, b.ties, sparse_body(b)); }},
    {"topk/encode_zeros", [](const Exec& e, OpArrays& b) { select_largest(e, b.zeros, sparse_body(b)); }},
    {"topk/decode_add",
     [](const Exec& e, OpArrays& b) {
       scatter(e, {b.indices, b.sparse_values}, kAdd, b.out);
     }},
    {"topk/decode",
     [](const Exec& e, OpArrays& b) {
       scatter(e, {b.indices, b.sparse_values}, {}, b.out);
     }},
    {"topk/check", [](const Exec& e, OpArrays& b) { check_indices(e, b.indices, b.count); }},
    {"topk/clear", [](const Exec& e, OpArrays& b) { clear_at(e, b.indices, b.values); }},
    {"randomk/indices",
     [](const Exec& e, OpArrays& b) {
       sample_strata(e, {kNoise.words, 0, b.count}, b.indices);
     }},
    {"randomk/gather", [](const Exec& e, OpArrays& b) { gather(e, b.values, sparse_body(b)); }},
    {"randomk/scale", [](const Exec& e, OpArrays& b) { scale_by_strata(e, b.count, b.sparse_values); }},
    {"frame/seal", [](const Exec& e, OpArrays& b) { seal_in_place(e, {}, Checksum::crc32c, {}, b.frame); }},
    {"frame/check", [](const Exec& e, OpArrays& b) { check_in_place(e, {}, Checksum::crc32c, b.frame); }},
    {"inspect", [](const Exec& e, OpArrays& b) { inspect(e, b.values); }},
    {"accumulate", [](const Exec& e, OpArrays& b) { accumulate(e, b.values, b.out); }},
    {"correct", [](const Exec& e, OpArrays& b) { correct(e, b.values, b.residual_in, b.residual_out); }},
    {"remainder", [](const Exec& e, OpArrays& b) { remainder(e, b.values, b.out, b.residual_out); }},
    {"clear", [](const Exec& e, OpArrays& b) { clear_bytes(e, std::as_writable_bytes(b.out)); }},
    {"divide", [](const Exec& e, OpArrays& b) { divide(e, b.out, 1.0f); }},
    {"descend", [](const Exec& e, OpArrays& b) { descend(e, {0.01f, 0.9f, 0.001f}, b.values, b.residual_out, b.out); }},
    {"average", [](const Exec& e, OpArrays& b) { average(e, b.values, 2.0f, b.out); }},
};

}  // namespace

// Zeros where there is no content.
template <class T>
std::span<T> OpBuffers::array(std::uint64_t length, std::span<const T> content) {
  const std::span<T> taken = scope_.take<T>(length);
  if (content.empty())
    fill_zero(exec_, std::as_writable_bytes(taken));
  else
    copy<T>(exec_, content, taken);
  synchronize(exec_);
  return taken;
}

OpArrays OpBuffers::arrays(std::uint64_t count) {
  Team team(all_cores());
  std::vector<float> normal(count);
  fill(CodecData::gaussian, team, normal);
  std::vector<std::uint32_t> drawn(parts(count, 100));
  reference::sample_strata({}, {kNoise.words, 0, count}, drawn);

  OpArrays made;
  made.count = count;
  made.values = array<float>(count, normal);
  made.residual_in = array<float>(count, normal);
  made.residual_out = array<float>(count);
  made.out = array<float>(count);
  made.zeros = array<float>(count);
  made.frame = std::as_writable_bytes(array<float>(count, normal));
  for (float& value : normal) value = std::rint(4 * value) / 4;
  made.ties = array<float>(count, normal);
  made.units = array<float>(parts(count, kBlock));
  made.sparse_values = array<float>(drawn.size());
  made.words = array<std::uint32_t>(parts(count, 32) * kDitherBits);
  made.indices = array<std::uint32_t>(drawn.size(), drawn);
  made.halves = array<std::uint16_t>(count);
  made.codes = array<std::int8_t>(count);
  return made;
}

OpBuffers::OpBuffers(std::span<const std::uint64_t> counts, const Exec& exec)
    : exec_(exec),
      device_memory_(exec.device),
      memory_(memory_of(exec, device_memory_)),
      scratch_(memory_of(exec, device_memory_)),
      scope_(memory_) {
  for (const std::uint64_t count : counts) runs_.push_back(arrays(count));
  exec_.arena = &scratch_;
  exec_.status = array<std::uint32_t>(1).data();
  exec_.batch = &batch_;
}

Exec OpBuffers::exec(Backend backend) {
  Exec exec = exec_;
  exec.backend = backend;
  return exec;
}

std::vector<BenchmarkedOp> benchmarked_ops() { return {std::begin(kOps), std::end(kOps)}; }

}  // namespace tw
