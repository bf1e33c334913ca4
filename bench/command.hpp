// The subcommands of `tightwire`: one row each in commands.cpp.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "bench/options.hpp"

namespace tw {

/// What the process tells its caller.
enum ExitCode : int {
  kExitOk = 0,
  kExitFailed = 1,  ///< it was asked rightly and could not be done
  kExitUsage = 2    ///< it was asked wrongly
};

/// A subcommand: declares its options, then runs. Errors are thrown: UsageError ends in kExitUsage, others in
/// kExitFailed, and the message is printed as one line on stderr.
class Command {
 public:
  virtual ~Command() = default;
  virtual void declare(Options& options) = 0;
  /// Returns the exit code.
  virtual int run() = 0;
};

struct CommandRow {
  std::string_view name;  ///< as typed: "info", "bench codecs"
  std::string_view summary;
  std::unique_ptr<Command> (*make)();
};

std::span<const CommandRow> command_table();

/// Parses `argv` by the rows of `table` and runs the one it names; returns the exit code.
int run_command_line(int argc, const char* const* argv, std::span<const CommandRow> table);

}  // namespace tw
