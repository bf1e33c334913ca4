// How much a sparse codec selects: ratio= or count=, not both; without either, ratio=0.01.
//
//   ratio=R   k = clamp(llround(R * count), 1, count) of every run, in f64; 0 where count is 0
//   count=K   with n the parameter's elements and K' = min(K, n): a run of elements [begin, end) selects
//             floor(K' * end / n) - floor(K' * begin / n), so that runs that cover the parameter select K' together
//
// Parameters are cut at multiples of `granule(param)`, so large that every shard selects at least one: a shard that
// never sends would keep its error for ever.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "compress/codec.hpp"
#include "compress/params.hpp"

namespace tw {

struct Amount {
  std::optional<double> ratio = 0.01;
  std::optional<std::uint64_t> count;

  static void declare(Amount& amount, ParamVisitor& visitor);
  /// Fills in the default where neither was given. Throws UsageError where both were.
  void settle(std::string_view codec);

  /// Elements selected of a run. Throws UsageError for a run beyond 2^32 elements: indices are 32 bits.
  std::uint64_t selected(const Extent& extent) const;
  std::uint64_t granule(const Param& param) const;
};

}  // namespace tw
