#include "compress/amount.hpp"

#include <algorithm>
#include <cmath>

#include "kernels/base/check.hpp"

namespace tw {
namespace {
constexpr std::uint64_t kGranule = 1024;                      // smaller parameters stay whole
constexpr std::uint64_t kMostCount = std::uint64_t{1} << 24;  // times 2^40 elements still fits 64 bits
constexpr std::uint64_t kMostElements = std::uint64_t{1} << 32;
}  // namespace

void Amount::declare(Amount& amount, ParamVisitor& visitor) {
  visitor.optional_real("ratio", amount.ratio, {0, 1}, "share of every shard that is sent");
  visitor.optional_integer("count", amount.count, {1, kMostCount}, "elements sent of every parameter");
}

void Amount::settle(std::string_view codec) {
  TW_CHECK(!ratio || !count, UsageError, "'", codec, "' takes ratio= or count=, not both");
  if (!count && !ratio) ratio = Amount().ratio;
}

std::uint64_t Amount::selected(const Extent& extent) const {
  TW_CHECK(extent.count <= kMostElements, UsageError, "'", extent.param->name, "': a run of ", extent.count,
           " elements is more than sparse codecs can index (2^32); use more ranks or another codec");
  if (extent.count == 0) return 0;
  if (ratio) {
    const auto wanted = std::llround(*ratio * static_cast<double>(extent.count));
    return std::clamp<std::uint64_t>(static_cast<std::uint64_t>(wanted), 1, extent.count);
  }
  const std::uint64_t all = extent.param->count(), wanted = std::min(*count, all);
  return wanted * (extent.first + extent.count) / all - wanted * extent.first / all;
}

std::uint64_t Amount::granule(const Param& param) const {
  if (ratio) return kGranule;
  const std::uint64_t elements_a_selected = (param.count() + *count - 1) / *count;
  return std::max<std::uint64_t>((elements_a_selected + kGranule - 1) / kGranule * kGranule, kGranule);
}

}  // namespace tw
