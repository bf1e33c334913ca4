// Families of gradients that tests run through codecs and ops: the same values on every machine, since golden vectors
// depend on them (no libm, no <random> distributions).
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include <tightwire/types.hpp>

namespace tw::test {

enum class Family : std::uint8_t { gaussian, heavy, sparse, ties, zero, one_hot, denormal, nan, inf };

inline constexpr std::array kFamilies{Family::gaussian, Family::heavy,    Family::sparse, Family::ties, Family::zero,
                                      Family::one_hot,  Family::denormal, Family::nan,    Family::inf};
inline constexpr std::array kFiniteFamilies{Family::gaussian, Family::heavy,   Family::sparse,  Family::ties,
                                            Family::zero,     Family::one_hot, Family::denormal};

std::string_view name_of(Family family);
constexpr bool is_finite(Family family) { return family < Family::nan; }

/// True where a sanitizer makes everything slow: tests then take fewer draws and smaller sizes.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

/// Sizes at the edges of lanes, blocks and shards.
std::vector<std::uint64_t> sizes_under_test();

/// `count` values, each one that `dtype` can hold. `variant` tells draws of one family apart.
std::vector<float> make_input(Family family, std::uint64_t count, DType dtype = DType::f32, std::uint32_t variant = 0);

}  // namespace tw::test
