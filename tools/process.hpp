// Child processes: one that is started and watched, and one that is run to its end for what it prints.
#pragma once

#include <sys/types.h>

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace tw {

/// A file descriptor that is closed with its owner.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd();
  int get() const { return fd_; }
  void close();

 private:
  int fd_ = -1;
};

struct ProcessOptions {
  std::vector<std::string> command;
  std::map<std::string, std::string> environment;  ///< on top of ours
  std::vector<std::string> without;                ///< variables of ours that it does not get
};

/// A child in a process group of its own, with an empty input and its output on pipes. The kernel kills it should this
/// process die without a word. Destroying it kills the whole group.
class ChildProcess {
 public:
  /// Throws SystemError that names the command when it cannot be run. Call from a thread that outlives the child.
  explicit ChildProcess(const ProcessOptions& options);
  ChildProcess(ChildProcess&&) noexcept = default;
  ChildProcess& operator=(ChildProcess&&) = delete;
  ~ChildProcess();

  /// Non-blocking ends of its standard output and standard error.
  Fd& out() { return out_; }
  Fd& err() { return err_; }

  /// Its process number, which is also its group's; 0 once it has ended.
  pid_t id() const { return pid_.value; }
  /// To every process of its group.
  void signal(int number) const;

  /// The wait status once it has ended (see waitpid), nothing before; never blocks. What it left of its group is
  /// killed.
  std::optional<int> poll();
  /// The same, blocking.
  int wait();
  bool ended() const { return status_.has_value(); }

 private:
  struct Pid {  // moves to 0, so that a moved-from child kills nobody
    pid_t value = 0;
    Pid() = default;
    Pid(Pid&& other) noexcept : value(std::exchange(other.value, 0)) {}
  } pid_;
  void look(int flags);

  Fd out_, err_;
  std::optional<int> status_;
};

/// The exit code a shell would give for a wait status: the code, or 128 + signal.
int exit_code_of(int status);
/// "ended with exit code 3", "was killed by signal 9 (Killed)".
std::string describe_end(int status);

/// The words this process was started with, the first being the path of its program.
std::vector<std::string> own_command();

struct Finished {
  int code;
  std::string out, err;
};
/// Runs a command to its end.
Finished run_process(const ProcessOptions& options);

}  // namespace tw
