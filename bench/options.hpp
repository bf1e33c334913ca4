// What a subcommand takes: its options declared once, which drives parsing, range checks and --help. CLI11 does the
// work behind it and is included by cli.cpp alone (it costs seconds in every file that sees it).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tw {

/// Values `low <= x <= high` that an integer option takes.
struct OptionRange {
  std::uint64_t low = 0;
  std::uint64_t high = UINT64_MAX;
};

/// Declares options of one subcommand. `names` is as CLI11 writes it: "-n,--ranks", or "files" for a positional. The
/// variable holds the default and must live as long as the command; an empty string or list, or a number below its
/// range, means that there is none.
class Options {
 public:
  virtual ~Options() = default;
  virtual void flag(std::string_view names, bool& value, std::string_view help) = 0;
  virtual void text(std::string_view names, std::string& value, std::string_view help) = 0;
  /// Any number of values, after one name or several.
  virtual void texts(std::string_view names, std::vector<std::string>& values, std::string_view help) = 0;
  /// One value after each time its name is given.
  virtual void repeated(std::string_view names, std::vector<std::string>& values, std::string_view help) = 0;
  virtual void integer(std::string_view names, std::uint64_t& value, OptionRange range, std::string_view help) = 0;
  virtual void real(std::string_view names, double& value, std::string_view help) = 0;
  /// A number of bytes: 4096, 64K, 4M, 1G (powers of 1024).
  virtual void bytes(std::string_view names, std::uint64_t& value, std::string_view help) = 0;
  /// The words after `--`.
  virtual void rest(std::string_view name, std::vector<std::string>& words, std::string_view help) = 0;
  /// The option declared last must be given.
  virtual void required() = 0;
};

}  // namespace tw
