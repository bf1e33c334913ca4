#include "tests/kernels/ops.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <optional>

#include "kernels/base/check.hpp"
#include "kernels/cast.hpp"
#include "kernels/clear.hpp"
#include "kernels/dither.hpp"
#include "kernels/feedback.hpp"
#include "kernels/inspect.hpp"
#include "kernels/quantize.hpp"
#include "kernels/reduce.hpp"
#include "kernels/sample.hpp"
#include "kernels/scatter.hpp"
#include "kernels/select.hpp"
#include "kernels/sgd.hpp"
#include "kernels/signs.hpp"
#include "tests/kernels/stage.hpp"

namespace tw::test {
namespace {

std::uint64_t parts(std::uint64_t count, std::uint64_t of) { return (count + of - 1) / of; }

using Selected = std::uint64_t (*)(std::uint64_t count);

constexpr Blend kBlends[] = {{Combine::assign, 1.0f}, {Combine::add, 0.3f}};

template <class Work>
void add(std::vector<TestedOp>& ops, const std::string& name, Work work) {
  ops.push_back({name, [work](Exec exec, const Operands& operands) {
                   const auto stage = std::make_shared<Stage>(exec, operands);
                   work(*stage);
                   return [stage] { return stage->outcome(); };
                 }});
}

void add_quantize(std::vector<TestedOp>& ops, std::uint64_t block) {
  const auto body = [block](Stage& s) {
    return Int8Body{block, s.array<float>(parts(s.count(), block)), s.array<std::int8_t>(s.count())};
  };
  const std::string suffix = detail::concat("_block", block);
  add(ops, "quantize_int8" + suffix, [=](Stage& s) { quantize_int8(s.exec(), s.values(), body(s)); });
  add(ops, "quantize_int8_feedback" + suffix, [=](Stage& s) {
    quantize_int8_feedback(s.exec(), s.values(), s.feedback(), body(s));
    s.leaves_residual();
  });
  for (const Blend how : kBlends)
    add(ops, (how.combine == Combine::add ? "dequantize_int8_add" : "dequantize_int8") + suffix, [=](Stage& s) {
      const Int8Body b = body(s.host());
      reference::quantize_int8({}, s.host().values(), b);
      dequantize_int8(s.exec(), {block, s.array_of(b.units), s.array_of(b.codes)}, how, s.others());
      s.leaves({s.others()});
    });
}

void add_signs(std::vector<TestedOp>& ops, std::uint64_t block) {
  const auto body = [block](Stage& s) {
    return SignBody{block, s.array<float>(parts(s.count(), block)), s.array<std::uint32_t>(parts(s.count(), 32))};
  };
  const std::string suffix = detail::concat("_block", block);
  add(ops, "encode_signs" + suffix, [=](Stage& s) { encode_signs(s.exec(), s.values(), body(s)); });
  add(ops, "encode_signs_feedback" + suffix, [=](Stage& s) {
    encode_signs_feedback(s.exec(), s.values(), s.feedback(), body(s));
    s.leaves_residual();
  });
  for (const Blend how : kBlends)
    add(ops, (how.combine == Combine::add ? "decode_signs_add" : "decode_signs") + suffix, [=](Stage& s) {
      const SignBody b = body(s.host());
      reference::encode_signs({}, s.host().values(), b);
      decode_signs(s.exec(), {block, s.array_of(b.units), s.array_of(b.words)}, how, s.others());
      s.leaves({s.others()});
    });
}

constexpr std::uint64_t kRecordedStep = 0x500000007;

struct DitherSetting {
  std::uint32_t bits;
  std::uint64_t block;
  Norm norm;
  std::uint64_t first;
  std::optional<std::uint64_t> recorded_step = std::nullopt;
};

void add_dither(std::vector<TestedOp>& ops, DitherSetting d) {
  const auto body = [d](Stage& s) {
    return DitherBody{d.block, d.bits, s.array<float>(parts(s.count(), d.block)),
                      s.array<std::uint32_t>(parts(s.count(), 32) * d.bits)};
  };
  const auto noise = [d](Stage& s) {
    return DitherNoise{
        {{0x12345678, 0x9abcdef0}, {17, 23}}, d.first, d.recorded_step ? s.recorded(*d.recorded_step) : nullptr};
  };
  const std::string suffix =
      detail::concat("_bits", d.bits, d.norm == Norm::max ? "_max" : "_l2", d.recorded_step ? "_recorded_step" : "");
  add(ops, "encode_dithered" + suffix,
      [=](Stage& s) { encode_dithered(s.exec(), s.values(), d.norm, noise(s), body(s)); });
  add(ops, "encode_dithered_feedback" + suffix, [=](Stage& s) {
    encode_dithered_feedback(s.exec(), s.values(), s.feedback(), d.norm, noise(s), body(s));
    s.leaves_residual();
  });
  if (d.recorded_step) return;
  for (const Blend how : kBlends)
    add(ops, (how.combine == Combine::add ? "decode_dithered_add" : "decode_dithered") + suffix, [=](Stage& s) {
      const DitherBody b = body(s.host());
      reference::encode_dithered({}, s.host().values(), d.norm, noise(s.host()), b);
      decode_dithered(s.exec(), {d.block, d.bits, s.array_of(b.units), s.array_of(b.words)}, how, s.others());
      s.leaves({s.others()});
    });
}

void add_casts(std::vector<TestedOp>& ops, DType dtype) {
  const std::string suffix = detail::concat("_", name_of(dtype));
  add(ops, "narrow" + suffix,
      [=](Stage& s) { narrow(s.exec(), s.values(), dtype, s.array<std::uint16_t>(s.count())); });
  add(ops, "narrow_feedback" + suffix, [=](Stage& s) {
    narrow_feedback(s.exec(), s.values(), s.feedback(), dtype, s.array<std::uint16_t>(s.count()));
    s.leaves_residual();
  });
  for (const Blend how : kBlends)
    add(ops, (how.combine == Combine::add ? "widen_add" : "widen") + suffix, [=](Stage& s) {
      const auto bits = s.host().array<std::uint16_t>(s.count());
      for (std::size_t i = 0; i < bits.size(); ++i) bits[i] = static_cast<std::uint16_t>(i);  // every pattern
      widen(s.exec(), s.array_of(bits), dtype, how, s.others());
      s.leaves({s.others()});
    });
}

void add_plain(std::vector<TestedOp>& ops) {
  add(ops, "copy_values", [](Stage& s) { copy_values(s.exec(), s.values(), s.array<float>(s.count())); });
  for (const Blend how : kBlends)
    add(ops, how.combine == Combine::add ? "blend_values_add" : "blend_values", [=](Stage& s) {
      blend_values(s.exec(), s.values(), how, s.others());
      s.leaves({s.others()});
    });
  add(ops, "inspect", [](Stage& s) { inspect(s.exec(), s.values()); });
  add(ops, "accumulate", [](Stage& s) {
    accumulate(s.exec(), s.values(), s.others());
    s.leaves({s.others()});
  });
  add(ops, "correct", [](Stage& s) {
    correct(s.exec(), s.values(), s.others(), s.feedback().residual_out);
    s.leaves_residual();
  });
  add(ops, "remainder", [](Stage& s) {
    remainder(s.exec(), s.values(), s.others(), s.feedback().residual_out);
    s.leaves_residual();
  });
  // From every byte of a word on, up to a word and many.
  for (const std::size_t first : {0, 1, 15})
    add(ops, detail::concat("clear_bytes_from", first), [first](Stage& s) {
      const auto bytes = std::as_writable_bytes(s.array<std::int8_t>(first + s.count() + 5));
      clear_bytes(s.exec(), bytes.subspan(first, s.count()));
    });
  add(ops, "divide", [](Stage& s) {
    divide(s.exec(), s.values(), 3.0f);
    s.leaves({s.values()});
  });
  add(ops, "average", [](Stage& s) {
    average(s.exec(), s.values(), 3.0f, s.others());
    s.leaves({s.values(), s.others()});
  });
}

// Ordinary rates; a momentum that leaves denormal velocities; a rate that leaves values as they are, some denormal.
void add_descend(std::vector<TestedOp>& ops) {
  for (const auto& [name, rates] :
       {std::pair{"descend", SgdRates{0.1f, 0.9f, 0.01f}}, std::pair{"descend_stopping", SgdRates{0.1f, 0x1p-126f, 0}}})
    add(ops, name, [rates = rates](Stage& s) {
      const std::span<float> values = s.feedback().residual_out;
      descend(s.exec(), rates, s.values(), s.others(), values);
      s.leaves({s.others(), values});
    });
  add(ops, "descend_still", [](Stage& s) {
    descend(s.exec(), {0, 0.9f, 0.01f}, s.feedback().residual_out, s.others(), s.values());
    s.leaves({s.others(), s.values()});
  });
}

void add_select(std::vector<TestedOp>& ops, const std::string& suffix, Selected selected) {
  const auto body = [=](Stage& s) {
    const std::uint64_t k = selected(s.count());
    return SparseBody{s.array<std::uint32_t>(k), s.array<float>(k)};
  };
  add(ops, "select_largest" + suffix, [=](Stage& s) { select_largest(s.exec(), s.values(), body(s)); });
  add(ops, "select_largest_feedback" + suffix, [=](Stage& s) {
    select_largest_feedback(s.exec(), s.values(), s.feedback(), body(s));
    s.leaves_residual();
  });
}

constexpr PhiloxWords kWords{{5, 6}, {7, 8}};

void add_sample(std::vector<TestedOp>& ops, const std::string& suffix, Selected selected) {
  add(ops, "scale_by_strata" + suffix, [=](Stage& s) {
    const auto drawn = s.values().first(selected(s.count()));
    scale_by_strata(s.exec(), s.count(), drawn);
    s.leaves({drawn});
  });
  for (const std::uint64_t first : {std::uint64_t{0}, std::uint64_t{7}, (std::uint64_t{1} << 34) - 70})
    add(ops, detail::concat("sample_strata_from", first, suffix), [=](Stage& s) {
      sample_strata(s.exec(), {kWords, first, s.count()}, s.array<std::uint32_t>(selected(s.count())));
    });
  add(ops, "sample_strata_recorded_step" + suffix, [=](Stage& s) {
    const SampledRun run{kWords, 7, s.count(), s.recorded(kRecordedStep)};
    sample_strata(s.exec(), run, s.array<std::uint32_t>(selected(s.count())));
  });
}

void add_sparse(std::vector<TestedOp>& ops, const std::string& suffix, Selected selected) {
  const auto indices = [=](Stage& s) {
    const auto drawn = s.host().array<std::uint32_t>(selected(s.count()));
    reference::sample_strata({}, {kWords, 0, s.count()}, drawn);
    return s.array_of(drawn);
  };
  add(ops, "gather" + suffix, [=](Stage& s) {
    const auto at = indices(s);
    gather(s.exec(), s.values(), {at, s.array<float>(at.size())});
  });
  for (const Blend how : kBlends)
    add(ops, (how.combine == Combine::add ? "scatter_add" : "scatter") + suffix, [=](Stage& s) {
      const auto at = indices(s);
      scatter(s.exec(), {at, s.values().first(at.size())}, how, s.others());
      s.leaves({s.others()});
    });
  add(ops, "clear_at" + suffix, [=](Stage& s) {
    clear_at(s.exec(), indices(s), s.values());
    s.leaves({s.values()});
  });
}

// Inputs are made once for all ops.
const std::vector<float>& input(Family family, std::uint32_t variant) {
  static std::vector<float> inputs[std::size(kFamilies)][2];
  std::vector<float>& values = inputs[static_cast<std::size_t>(family)][variant];
  if (values.empty()) values = make_input(family, sizes_under_test().back(), DType::f32, variant);
  return values;
}

Operands operands_of(Family family, std::uint64_t count, std::size_t offset) {
  const auto front = [count](const std::vector<float>& all) {
    return std::vector<float>(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(count));
  };
  return {count, offset, front(input(family, 0)), front(input(Family::heavy, 1))};
}

bool same(float a, float b) {
  return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b) || (std::isnan(a) && std::isnan(b));
}

}  // namespace

std::string difference(const Outcome& expected, const Outcome& actual) {
  if (!actual.intact) return "wrote outside of its operands";
  if (expected.status != actual.status) return detail::concat("status ", actual.status);
  for (std::size_t i = 0; i < expected.bytes.size(); ++i)
    if (expected.bytes[i] != actual.bytes[i]) return detail::concat("byte ", i, " of the body");
  for (std::size_t i = 0; i < expected.floats.size(); ++i)
    if (!same(expected.floats[i], actual.floats[i]))
      return detail::concat("float ", i, ": ", actual.floats[i], " instead of ", expected.floats[i]);
  return {};
}

void for_all_operands(const std::function<void(const Operands&, const std::string& what)>& visit) {
  for (const Family family : kFamilies)
    for (const std::uint64_t count : sizes_under_test())
      for (const std::size_t offset : {0, 3})
        visit(operands_of(family, count, offset),
              detail::concat(name_of(family), ", ", count, " elements, offset ", offset));
}

std::vector<TestedOp> ops_under_test() {
  const std::pair<std::string, Selected> shares[] = {
      {"_none", [](std::uint64_t) { return std::uint64_t{0}; }},
      {"_one", [](std::uint64_t count) { return std::min<std::uint64_t>(count, 1); }},
      {"_hundredth", [](std::uint64_t count) { return parts(count, 100); }},
      {"_half", [](std::uint64_t count) { return parts(count, 2); }},
      {"_all", [](std::uint64_t count) { return count; }}};
  std::vector<TestedOp> ops;
  for (const DType dtype : {DType::f16, DType::bf16}) add_casts(ops, dtype);
  add_plain(ops);
  add_descend(ops);
  for (const auto& [suffix, selected] : shares) add_sparse(ops, suffix, selected);
  for (const auto& [suffix, selected] : shares) add_select(ops, suffix, selected);
  for (const auto& [suffix, selected] : shares) add_sample(ops, suffix, selected);
  for (const std::uint64_t block : {32, 96, 256, 512, 8192}) add_quantize(ops, block);
  add_quantize(ops, std::uint64_t{1} << 62);
  for (const std::uint64_t block : {32, 256, 4096}) add_signs(ops, block);
  add_dither(ops, {2, 32, Norm::l2, 32});
  add_dither(ops, {4, 512, Norm::max, 0});
  add_dither(ops, {5, 4096, Norm::l2, (std::uint64_t{1} << 34) - 96});  // the counter's carry falls into the run
  add_dither(ops, {8, 64, Norm::max, 1024});
  add_dither(ops, {3, 96, Norm::max, 64, kRecordedStep});
  return ops;
}

}  // namespace tw::test
