#include "tests/compress/codec_harness.hpp"

std::span<const tw::Backend> tw::test::backends_under_test() {
  static constexpr Backend kBackends[] = {Backend::reference, Backend::simd};
  return kBackends;
}
