// Bytes an element, read and written: narrow 4 + 2, narrow_feedback 8 + 6, widen 2 + 4 (adding: 6 + 4), copy_values 4 +
// 4, blend_values 4 + 4 (adding: 8 + 4).
#include "kernels/cast.hpp"

#include "kernels/cuda/elementwise.hpp"
#include "kernels/math/cast.hpp"

namespace tw::cuda {
namespace {

template <class Half>
struct NarrowAs {
  template <class Access>
  __device__ void operator()(Access at, Findings& findings, const float* values, std::uint16_t* bits) const {
    const auto value = at.load(values);
    Elements<std::uint16_t, Access::kCount> narrowed;
    for (int i = 0; i < at.kCount; ++i) {
      findings.look(value[i]);
      narrowed[i] = Half::narrow(value[i]);
    }
    at.store(bits, narrowed);
  }
};

template <class Half>
struct NarrowFeedbackAs {
  template <class Access>
  __device__ void operator()(Access at, Findings& findings, const float* values, const float* residual_in,
                             float* residual_out, std::uint16_t* bits) const {
    const auto value = at.load(values), residual = at.load(residual_in);
    Elements<std::uint16_t, Access::kCount> narrowed;
    Elements<float, Access::kCount> lost;
    for (int i = 0; i < at.kCount; ++i) {
      const float p = value[i] + residual[i];
      findings.look(p);
      narrowed[i] = Half::narrow(p);
      lost[i] = p - Half::widen(narrowed[i]);
    }
    at.store(residual_out, lost);
    at.store(bits, narrowed);
  }
};

template <class Half>
struct WidenAs {
  Blend how;

  template <class Access>
  __device__ void operator()(Access at, Findings&, const std::uint16_t* bits, float* out) const {
    const auto narrow = at.load(bits);
    blend(at, how.combine, out, [&](int i) { return how.scale * Half::widen(narrow[i]); });
  }
};

struct CopyCanonical {
  template <class Access>
  __device__ void operator()(Access at, Findings& findings, const float* values, float* out) const {
    auto value = at.load(values);
    for (int i = 0; i < at.kCount; ++i) {
      findings.look(value[i]);
      value[i] = canonical(value[i]);
    }
    at.store(out, value);
  }
};

struct BlendScaled {
  Blend how;

  template <class Access>
  __device__ void operator()(Access at, Findings&, const float* values, float* out) const {
    const auto value = at.load(values);
    blend(at, how.combine, out, [&](int i) { return how.scale * value[i]; });
  }
};

}  // namespace

void narrow(const Exec& exec, std::span<const float> values, DType dtype, std::span<std::uint16_t> bits) {
  const auto as = [&](auto op) { elementwise(exec, values.size(), op, values.data(), bits.data()); };
  dtype == DType::f16 ? as(NarrowAs<HalfCast>{}) : as(NarrowAs<BrainCast>{});
}

void narrow_feedback(const Exec& exec, std::span<const float> values, Feedback feedback, DType dtype,
                     std::span<std::uint16_t> bits) {
  const auto as = [&](auto op) {
    elementwise(exec, values.size(), op, values.data(), feedback.residual_in.data(), feedback.residual_out.data(),
                bits.data());
  };
  dtype == DType::f16 ? as(NarrowFeedbackAs<HalfCast>{}) : as(NarrowFeedbackAs<BrainCast>{});
}

void widen(const Exec& exec, std::span<const std::uint16_t> bits, DType dtype, Blend how, std::span<float> out) {
  const auto as = [&](auto op) { elementwise(exec, out.size(), op, bits.data(), out.data()); };
  dtype == DType::f16 ? as(WidenAs<HalfCast>{how}) : as(WidenAs<BrainCast>{how});
}

void copy_values(const Exec& exec, std::span<const float> values, std::span<float> out) {
  elementwise(exec, values.size(), CopyCanonical{}, values.data(), out.data());
}

void blend_values(const Exec& exec, std::span<const float> values, Blend how, std::span<float> out) {
  elementwise(exec, out.size(), BlendScaled{how}, values.data(), out.data());
}

}  // namespace tw::cuda
