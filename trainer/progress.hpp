// How far a run is, for people: a bar that redraws itself on a terminal, a plain line now and then elsewhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <ostream>
#include <string>

namespace tw::trainer {

class Progress {
 public:
  enum class Style : std::uint8_t {
    none,   ///< nothing but notes of errors
    lines,  ///< a line every tenth of the steps
    bar     ///< a bar, redrawn ten times a second at most
  };
  /// `out` outlives it.
  Progress(std::ostream& out, Style style, std::uint64_t total_steps);
  /// Leaves the cursor on a line of its own.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `bar` where standard error is a terminal, `lines` where not.
  static Style for_standard_error();

  void step(std::uint64_t done, double loss, double step_seconds);
  /// A line that stays, such as a validation's result.
  void note(const std::string& text);

 private:
  std::string status(std::uint64_t done, double loss, double step_seconds) const;
  void draw(std::uint64_t done, const std::string& status);

  std::ostream& out_;
  const Style style_;
  const std::uint64_t total_;
  std::chrono::steady_clock::time_point drawn_{};
  bool open_ = false;  // a bar without an end of line stands there
};

}  // namespace tw::trainer
