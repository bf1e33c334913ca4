#include "compress/codecs/topk.hpp"

#include "kernels/base/check.hpp"
#include "kernels/scatter.hpp"

namespace tw {

CodecTraits TopK::traits(const Param& param) const {
  CodecTraits traits;
  traits.contractive = traits.sparse = true;
  traits.granule = amount_.granule(param);
  return traits;
}

std::size_t TopK::max_bytes(const Extent& extent) const {
  const std::uint64_t selected = amount_.selected(extent);
  return array_bytes<std::uint32_t>(selected) + array_bytes<float>(selected);
}

SparseBody TopK::body_of(const Exec& exec, const EncodeJob& job) const {
  const auto& [param, first, values] = job.input;
  const std::uint64_t selected = amount_.selected({param, first, values.size()});
  BodyWriter body(exec, job.body);
  const auto indices = body.array<std::uint32_t>(selected);
  return {indices, body.array<float>(selected)};
}

SparseView TopK::view_of(std::span<const std::byte> bytes, const Extent& extent) const {
  const std::uint64_t selected = amount_.selected(extent);
  BodyReader body(bytes);
  const auto indices = body.array<std::uint32_t>(selected);
  return {indices, body.array<float>(selected)};
}

void TopK::encode_run(const Context& context, const EncodeJob& job) const {
  select_largest(context.exec, job.input.values, body_of(context.exec, job));
}

void TopK::encode_run_with_residual(const Context& context, const EncodeJob& job, Feedback feedback) const {
  select_largest_feedback(context.exec, job.input.values, feedback, body_of(context.exec, job));
}

void TopK::validate_run(std::span<const std::byte> body, const Extent& extent) const {
  std::uint64_t least = 0;
  for (const std::uint32_t index : view_of(body, extent).indices) {
    TW_CHECK(index >= least && index < extent.count, WireError, "topk: index ", index, " in the body of '",
             extent.param->name, "'; expected ", least, " to ", extent.count - 1);
    least = std::uint64_t{index} + 1;
  }
}

void TopK::check(const Context& context, std::span<const std::byte> body, const Extent& extent) const {
  check_indices(context.exec, view_of(body, extent).indices, extent.count);
}

void TopK::decode_run(const Context& context, const DecodeJob& job, Blend how) const {
  const auto& [param, first, values] = job.output;
  scatter(context.exec, view_of(job.body, {param, first, values.size()}), how, values);
}

void TopK::clear_selected(const Context& context, std::span<const std::byte> body, const Extent& extent,
                          std::span<float> values) const {
  clear_at(context.exec, view_of(body, extent).indices, values);
}

}  // namespace tw
