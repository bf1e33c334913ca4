#include "tests/kernels/simd_ops.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "kernels/base/check.hpp"
#include "kernels/cast.hpp"
#include "kernels/dither.hpp"
#include "kernels/inspect.hpp"
#include "kernels/quantize.hpp"
#include "kernels/reduce.hpp"
#include "kernels/sample.hpp"
#include "kernels/scatter.hpp"
#include "kernels/select.hpp"
#include "kernels/signs.hpp"
#include "tests/support/guarded.hpp"

namespace tw::test {
namespace {

// Runs an op between guarded copies of its operands and gathers what it left.
class Stage {
 public:
  Stage(Exec exec, const Operands& operands)
      : exec_(exec),
        values_(copy_of(operands, operands.values)),
        others_(copy_of(operands, operands.others)),
        result_(operands.count, 7.0f, operands.offset) {
    exec_.status = &outcome_.status;
  }

  const Exec& exec() const { return exec_; }
  std::uint64_t count() const { return values_.span().size(); }
  std::span<float> values() { return values_.span(); }
  std::span<float> others() { return others_.span(); }
  Feedback feedback() { return {others_.span(), result_.span()}; }

  /// An array of a body.
  template <class T>
  std::span<T> array(std::uint64_t count) {
    return arrays<T>().emplace_back(count, T{3}).span();
  }

  /// The outcome: all arrays, and those of the float operands that the op writes.
  Outcome take(std::initializer_list<std::span<const float>> floats) {
    append(bytes4_), append(bytes2_), append(bytes1_), append(floats_);
    for (const auto span : floats) outcome_.floats.insert(outcome_.floats.end(), span.begin(), span.end());
    outcome_.intact &= values_.intact() && others_.intact() && result_.intact();
    return outcome_;
  }
  Outcome take_with_residual() { return take({result_.span()}); }

 private:
  static Guarded<float> copy_of(const Operands& operands, const std::vector<float>& from) {
    Guarded<float> copy(from.size(), 0.0f, operands.offset);
    std::copy(from.begin(), from.end(), copy.span().begin());
    return copy;
  }
  template <class T>
  std::vector<Guarded<T>>& arrays() {
    if constexpr (std::is_same_v<T, float>)
      return floats_;
    else if constexpr (sizeof(T) == 4)
      return bytes4_;
    else if constexpr (sizeof(T) == 2)
      return bytes2_;
    else
      return bytes1_;
  }
  template <class T>
  void append(const std::vector<Guarded<T>>& from) {
    for (const Guarded<T>& array : from) {
      const auto bytes = std::as_bytes(array.span());
      outcome_.bytes.insert(outcome_.bytes.end(), bytes.begin(), bytes.end());
      outcome_.intact &= array.intact();
    }
  }

  Exec exec_;
  Outcome outcome_;
  Guarded<float> values_, others_, result_;
  std::vector<Guarded<std::uint32_t>> bytes4_;
  std::vector<Guarded<std::uint16_t>> bytes2_;
  std::vector<Guarded<std::int8_t>> bytes1_;
  std::vector<Guarded<float>> floats_;
};

std::uint64_t parts(std::uint64_t count, std::uint64_t of) { return (count + of - 1) / of; }

constexpr Blend kBlends[] = {{Combine::assign, 1.0f}, {Combine::add, 0.3f}};

template <class Work>
void add(std::vector<SimdOp>& ops, const std::string& name, Work work) {
  ops.push_back({name, [work](Exec exec, const Operands& operands) {
                   Stage stage(exec, operands);
                   return work(stage);
                 }});
}

void add_quantize(std::vector<SimdOp>& ops, std::uint64_t block) {
  const auto body = [block](Stage& s) {
    return Int8Body{block, s.array<float>(parts(s.count(), block)), s.array<std::int8_t>(s.count())};
  };
  const std::string suffix = detail::concat("_block", block);
  add(ops, "quantize_int8" + suffix, [=](Stage& s) {
    quantize_int8(s.exec(), s.values(), body(s));
    return s.take({});
  });
  add(ops, "quantize_int8_feedback" + suffix, [=](Stage& s) {
    quantize_int8_feedback(s.exec(), s.values(), s.feedback(), body(s));
    return s.take_with_residual();
  });
  for (const Blend how : kBlends)
    add(ops, (how.combine == Combine::add ? "dequantize_int8_add" : "dequantize_int8") + suffix, [=](Stage& s) {
      const Int8Body b = body(s);
      reference::quantize_int8(s.exec(), s.values(), b);
      dequantize_int8(s.exec(), {block, b.units, b.codes}, how, s.others());
      return s.take({s.others()});
    });
}

void add_signs(std::vector<SimdOp>& ops, std::uint64_t block) {
  const auto body = [block](Stage& s) {
    return SignBody{block, s.array<float>(parts(s.count(), block)), s.array<std::uint32_t>(parts(s.count(), 32))};
  };
  const std::string suffix = detail::concat("_block", block);
  add(ops, "encode_signs" + suffix, [=](Stage& s) {
    encode_signs(s.exec(), s.values(), body(s));
    return s.take({});
  });
  add(ops, "encode_signs_feedback" + suffix, [=](Stage& s) {
    encode_signs_feedback(s.exec(), s.values(), s.feedback(), body(s));
    return s.take_with_residual();
  });
  for (const Blend how : kBlends)
    add(ops, (how.combine == Combine::add ? "decode_signs_add" : "decode_signs") + suffix, [=](Stage& s) {
      const SignBody b = body(s);
      reference::encode_signs(s.exec(), s.values(), b);
      decode_signs(s.exec(), {block, b.units, b.words}, how, s.others());
      return s.take({s.others()});
    });
}

struct DitherSetting {
  std::uint32_t bits;
  std::uint64_t block;
  Norm norm;
  std::uint64_t first;
};

void add_dither(std::vector<SimdOp>& ops, DitherSetting d) {
  const auto body = [d](Stage& s) {
    return DitherBody{d.block, d.bits, s.array<float>(parts(s.count(), d.block)),
                      s.array<std::uint32_t>(parts(s.count(), 32) * d.bits)};
  };
  const DitherNoise noise{{{0x12345678, 0x9abcdef0}, {17, 23}}, d.first};
  const std::string suffix = detail::concat("_bits", d.bits, d.norm == Norm::max ? "_max" : "_l2");
  add(ops, "encode_dithered" + suffix, [=](Stage& s) {
    encode_dithered(s.exec(), s.values(), d.norm, noise, body(s));
    return s.take({});
  });
  add(ops, "encode_dithered_feedback" + suffix, [=](Stage& s) {
    encode_dithered_feedback(s.exec(), s.values(), s.feedback(), d.norm, noise, body(s));
    return s.take_with_residual();
  });
  for (const Blend how : kBlends)
    add(ops, (how.combine == Combine::add ? "decode_dithered_add" : "decode_dithered") + suffix, [=](Stage& s) {
      const DitherBody b = body(s);
      reference::encode_dithered(s.exec(), s.values(), d.norm, noise, b);
      decode_dithered(s.exec(), {d.block, d.bits, b.units, b.words}, how, s.others());
      return s.take({s.others()});
    });
}

void add_casts(std::vector<SimdOp>& ops, DType dtype) {
  const std::string suffix = detail::concat("_", name_of(dtype));
  add(ops, "narrow" + suffix, [=](Stage& s) {
    narrow(s.exec(), s.values(), dtype, s.array<std::uint16_t>(s.count()));
    return s.take({});
  });
  add(ops, "narrow_feedback" + suffix, [=](Stage& s) {
    narrow_feedback(s.exec(), s.values(), s.feedback(), dtype, s.array<std::uint16_t>(s.count()));
    return s.take_with_residual();
  });
  for (const Blend how : kBlends)
    add(ops, (how.combine == Combine::add ? "widen_add" : "widen") + suffix, [=](Stage& s) {
      const auto bits = s.array<std::uint16_t>(s.count());
      for (std::size_t i = 0; i < bits.size(); ++i) bits[i] = static_cast<std::uint16_t>(i);  // every pattern
      widen(s.exec(), bits, dtype, how, s.others());
      return s.take({s.others()});
    });
}

void add_plain(std::vector<SimdOp>& ops) {
  add(ops, "copy_values", [](Stage& s) {
    copy_values(s.exec(), s.values(), s.array<float>(s.count()));
    return s.take({});
  });
  for (const Blend how : kBlends)
    add(ops, how.combine == Combine::add ? "blend_values_add" : "blend_values", [=](Stage& s) {
      blend_values(s.exec(), s.values(), how, s.others());
      return s.take({s.others()});
    });
  add(ops, "inspect", [](Stage& s) {
    inspect(s.exec(), s.values());
    return s.take({});
  });
  add(ops, "accumulate", [](Stage& s) {
    accumulate(s.exec(), s.values(), s.others());
    return s.take({s.others()});
  });
  add(ops, "divide", [](Stage& s) {
    divide(s.exec(), s.values(), 3.0f);
    return s.take({s.values()});
  });
  add(ops, "average", [](Stage& s) {
    average(s.exec(), s.values(), 3.0f, s.others());
    return s.take({s.values(), s.others()});
  });
}

void add_select(std::vector<SimdOp>& ops, const std::string& suffix, std::uint64_t (*selected)(std::uint64_t count)) {
  const auto body = [=](Stage& s) {
    const std::uint64_t k = selected(s.count());
    return SparseBody{s.array<std::uint32_t>(k), s.array<float>(k)};
  };
  add(ops, "select_largest" + suffix, [=](Stage& s) {
    select_largest(s.exec(), s.values(), body(s));
    return s.take({});
  });
  add(ops, "select_largest_feedback" + suffix, [=](Stage& s) {
    select_largest_feedback(s.exec(), s.values(), s.feedback(), body(s));
    return s.take_with_residual();
  });
}

void add_sparse(std::vector<SimdOp>& ops, const std::string& suffix, std::uint64_t (*selected)(std::uint64_t count)) {
  constexpr PhiloxWords kWords{{5, 6}, {7, 8}};
  const auto indices = [=](Stage& s) {
    const auto indices = s.array<std::uint32_t>(selected(s.count()));
    reference::sample_strata(s.exec(), {kWords, 0, s.count()}, indices);
    return indices;
  };
  for (const std::uint64_t first : {std::uint64_t{0}, std::uint64_t{7}, (std::uint64_t{1} << 34) - 70})
    add(ops, detail::concat("sample_strata_from", first, suffix), [=](Stage& s) {
      sample_strata(s.exec(), {kWords, first, s.count()}, s.array<std::uint32_t>(selected(s.count())));
      return s.take({});
    });
  add(ops, "gather" + suffix, [=](Stage& s) {
    const auto at = indices(s);
    gather(s.exec(), s.values(), {at, s.array<float>(at.size())});
    return s.take({});
  });
  for (const Blend how : kBlends)
    add(ops, (how.combine == Combine::add ? "scatter_add" : "scatter") + suffix, [=](Stage& s) {
      const auto at = indices(s);
      scatter(s.exec(), {at, s.values().first(at.size())}, how, s.others());
      return s.take({s.others()});
    });
  add(ops, "clear_at" + suffix, [=](Stage& s) {
    clear_at(s.exec(), indices(s), s.values());
    return s.take({s.values()});
  });
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

std::vector<SimdOp> simd_ops() {
  std::vector<SimdOp> ops;
  for (const std::uint64_t block : {32, 256, 8192}) add_quantize(ops, block);
  for (const std::uint64_t block : {32, 256, 4096}) add_signs(ops, block);
  add_dither(ops, {2, 32, Norm::l2, 32});
  add_dither(ops, {4, 512, Norm::max, 0});
  add_dither(ops, {5, 4096, Norm::l2, (std::uint64_t{1} << 34) - 96});  // the counter's carry falls into the run
  add_dither(ops, {8, 64, Norm::max, 1024});
  for (const DType dtype : {DType::f16, DType::bf16}) add_casts(ops, dtype);
  add_plain(ops);
  add_select(ops, "_none", [](std::uint64_t) { return std::uint64_t{0}; });
  add_select(ops, "_one", [](std::uint64_t count) { return std::min<std::uint64_t>(count, 1); });
  add_select(ops, "_hundredth", [](std::uint64_t count) { return parts(count, 100); });
  add_select(ops, "_half", [](std::uint64_t count) { return parts(count, 2); });
  add_select(ops, "_all", [](std::uint64_t count) { return count; });
  add_sparse(ops, "_none", [](std::uint64_t) { return std::uint64_t{0}; });
  add_sparse(ops, "_hundredth", [](std::uint64_t count) { return parts(count, 100); });
  add_sparse(ops, "_all", [](std::uint64_t count) { return count; });
  return ops;
}

}  // namespace tw::test
