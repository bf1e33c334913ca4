// One codec with all it needs around it, and guards around every buffer that it writes.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "compress/compressor.hpp"
#include "kernels/base/arena.hpp"
#include "kernels/cuda/batch.hpp"
#include "tests/support/inputs.hpp"
#include "tests/support/placed.hpp"

namespace tw::test {

/// Every row of the registry as it is by default, and further settings of some.
std::vector<std::string> specs_under_test();

/// What this program holds to the contract, the fastest last: the host's backends (host_backends.cpp), or CUDA
/// (cuda_backends.cpp).
std::span<const Backend> backends_under_test();
std::string_view name_of(Backend backend);
inline constexpr DType kGradientTypes[] = {DType::f32, DType::f16, DType::bf16};
inline constexpr EncodeKey kKey{0x123456789abcdef0, 0x1122334455, 3, Hop::worker};

/// Values and bodies are the host's; a coding takes them to where its backend works and back.
class Coding {
 public:
  Coding(std::string_view spec, const Param& param, Backend backend = Backend::reference);

  const Codec& codec() const { return compressor_.codec(); }
  const Compressor& compressor() const { return compressor_; }
  CodecTraits traits() const { return codec().traits(param_); }
  const Param& param() const { return param_; }
  Context context(const EncodeKey& key = kKey) { return {exec_, key, step_, &state_}; }
  State& state() { return state_; }
  const Exec& exec() const { return exec_; }
  /// What was met since the last call.
  std::uint32_t take_status();

  /// Elements [first, first + values.size()) of the parameter. Fails the test if anything outside is written.
  std::vector<std::byte> encode(std::span<const float> values, std::uint64_t first = 0, const EncodeKey& key = kKey);
  std::vector<float> decode(std::span<const std::byte> body, std::uint64_t count, std::uint64_t first = 0,
                            const EncodeKey& key = kKey);
  /// Into `out` as it is.
  void decode_into(std::span<const std::byte> body, std::span<float> out, Combine combine, float scale,
                   std::uint64_t first = 0, const EncodeKey& key = kKey);
  /// Without validation, as a device does; and what `Codec::check` reports of the body, which comes first.
  std::uint32_t decode_unseen(std::span<const std::byte> body, std::uint64_t count);
  std::vector<float> decoded(std::span<const float> values, const EncodeKey& key = kKey) {
    return decode(encode(values, 0, key), values.size(), 0, key);
  }

  /// Runs of several parameters in one call: their bodies.
  std::vector<std::vector<std::byte>> encode_together(std::span<const Input> inputs);
  /// `values` without what `body` carries.
  std::vector<float> cleared(std::span<const std::byte> body, std::span<const float> values);
  /// One step of the compressor, memory included: what its body decodes to.
  std::vector<float> compress(std::span<const float> gradient, const EncodeKey& key);
  /// The live residual.
  std::vector<float> residual();

  std::byte fill{0xee};  ///< what is in a body's room before it is encoded

  struct WithResidual {
    std::vector<std::byte> body;
    std::vector<float> residual;
  };
  /// In one pass, and as the three steps that define it.
  WithResidual encode_fused(std::span<const float> values, std::span<const float> residual);
  WithResidual encode_stepwise(std::span<const float> values, std::span<const float> residual);

 private:
  std::vector<float> decode_valid(std::span<const std::byte> body, std::span<const float> onto, const Blend& how,
                                  std::uint64_t first, const EncodeKey& key);
  std::vector<std::byte> fetch_body(Placed<std::byte>& room, std::uint32_t bytes);

  Compressor compressor_;
  Param param_;
  Exec exec_;
  Arena arena_;
  LaunchBatch batch_;
  Block status_;
  StepInfo step_;
  State state_;
};

/// A parameter of `count` elements.
Param make_param(std::uint64_t count, DType dtype = DType::f32);

/// The same bits, all NaNs being one.
bool same_values(std::span<const float> a, std::span<const float> b);
double squared_norm(std::span<const float> x);
double squared_error(std::span<const float> x, std::span<const float> y);

/// One input of the contract's matrix; shows in the trace of a failure.
struct Case {
  DType dtype;
  Family family;
  std::uint64_t count;
  Backend backend;
};
/// Visits family x size x backend in f32, and the small sizes in f16 and bf16.
void for_each_case(std::span<const Family> families, const std::function<void(const Case&)>& visit);

}  // namespace tw::test
