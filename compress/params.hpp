// Parameters of codecs, memories and algorithms, declared once:
//
//   struct Params { std::uint64_t block = 256; };
//   static void declare(Params& p, ParamVisitor& v) { v.integer("block", p.block, {32, 1 << 20}, "elements a scale"); }
//
// Parsing, range check, canonical printing, the table of `tightwire info` and `--help` are visitors of that.
// What one declaration cannot say (this key or that one) a static `check(Params&)` says, where there is one.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace tw {

/// Values `low <= x <= high`.
struct IntegerRange {
  std::uint64_t low;
  std::uint64_t high;
};

/// Values `low < x <= high` (ratios exclude zero).
struct RealRange {
  double above;
  double high;
};

/// What a declaration calls, once a parameter, in the order they are printed.
class ParamVisitor {
 public:
  virtual ~ParamVisitor() = default;
  virtual void integer(std::string_view key, std::uint64_t& value, IntegerRange range, std::string_view help) = 0;
  virtual void real(std::string_view key, double& value, RealRange range, std::string_view help) = 0;
  /// The same for a parameter that may be left out.
  virtual void optional_integer(std::string_view key, std::optional<std::uint64_t>& value, IntegerRange range,
                                std::string_view help) = 0;
  virtual void optional_real(std::string_view key, std::optional<double>& value, RealRange range,
                             std::string_view help) = 0;
  /// `value` is an index into `names`.
  virtual void choice(std::string_view key, std::uint32_t& value, std::span<const std::string_view> names,
                      std::string_view help) = 0;
};

}  // namespace tw
