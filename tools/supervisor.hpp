// Runs the ranks of one job as local processes: passes their output on, forwards signals, stops all when one fails.
#pragma once

#include <csignal>
#include <cstdint>
#include <optional>
#include <vector>

#include "tools/process.hpp"

namespace tw {

/// While it lives, SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2 and SIGCHLD are read from here instead of acting
/// on this process, and writing to a closed pipe is an error instead of its end. One at a time, on the main thread.
class SignalInbox {
 public:
  SignalInbox();
  ~SignalInbox();
  SignalInbox(const SignalInbox&) = delete;
  int fd() const { return fd_.get(); }
  /// The next signal that came; never blocks.
  std::optional<int> take();

 private:
  sigset_t before_;
  void (*pipe_before_)(int);
  Fd fd_;
};

struct SuperviseOptions {
  enum class Prefix : std::uint8_t { none, rank } prefix = Prefix::rank;  ///< "[3] " before each line of output
  double grace_seconds = 5;  ///< between asking a rank to end and killing it
};

/// Starts one process a rank and returns when all have ended: 0, or the exit code of the first that failed (128 +
/// signal where one was killed), which is named on standard error, or 128 + the signal that stopped this process. None
/// of their processes survives.
int supervise(SignalInbox& signals, const std::vector<ProcessOptions>& ranks, const SuperviseOptions& options);

}  // namespace tw
