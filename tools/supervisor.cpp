#include "tools/supervisor.hpp"

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <iostream>
#include <string>

#include <tightwire/deadline.hpp>

#include "kernels/base/check.hpp"

namespace tw {
namespace {

constexpr std::size_t kLongestLine = 1 << 16;  // longer ones are passed on in parts

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t wrote = write(fd, text.data(), text.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0 && errno == EAGAIN) {  // somebody made the terminal non-blocking
      pollfd ready{fd, POLLOUT, 0};
      ::poll(&ready, 1, -1);
      continue;
    }
    if (wrote < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(wrote));
  }
  return true;
}

/// One output of one rank, passed on line by line.
class Stream {
 public:
  Stream(Fd& from, int to, std::string prefix) : from_(&from), to_(to), prefix_(std::move(prefix)) {}

  int fd() const { return from_->get(); }

  /// Passes on what there is. False when our own output is closed.
  bool drain() {
    std::array<char, 1 << 14> buffer;
    while (fd() >= 0) {
      const ssize_t got = read(fd(), buffer.data(), buffer.size());
      if (got < 0) break;  // EAGAIN
      if (got == 0) {
        from_->close();
        return pass_on_rest();
      }
      pending_.append(buffer.data(), static_cast<std::size_t>(got));
      if (!pass_on_lines()) return false;
    }
    return true;
  }

  /// Ends an unfinished line.
  bool pass_on_rest() {
    if (pending_.empty()) return true;
    if (!prefix_.empty()) pending_ += '\n';
    return pass_on_lines() && write_all(to_, std::exchange(pending_, {}));
  }

 private:
  bool pass_on_lines() {
    if (prefix_.empty()) return write_all(to_, std::exchange(pending_, {}));
    std::string text;
    std::size_t begin = 0;
    for (std::size_t end; (end = pending_.find_first_of("\r\n", begin)) != std::string::npos; begin = end + 1)
      if (end > begin || pending_[end] == '\n') text.append(prefix_).append(pending_, begin, end - begin).append("\n");
    pending_.erase(0, begin);
    if (pending_.size() > kLongestLine) text.append(prefix_).append(std::exchange(pending_, {})).append("\n");
    return write_all(to_, text);
  }

  Fd* from_;
  int to_;
  std::string prefix_, pending_;
};

class Supervisor {
 public:
  Supervisor(SignalInbox& signals, const std::vector<ProcessOptions>& ranks, const SuperviseOptions& options)
      : signals_(signals), options_(options) {
    children_.reserve(ranks.size());  // streams point into it
    for (const ProcessOptions& rank : ranks) {
      ChildProcess& child = children_.emplace_back(rank);
      const std::string number = std::to_string(children_.size() - 1);
      const std::string prefix = options.prefix == SuperviseOptions::Prefix::rank ? "[" + number + "] " : "";
      streams_.emplace_back(child.out(), STDOUT_FILENO, prefix);
      streams_.emplace_back(child.err(), STDERR_FILENO, prefix);
    }
  }

  int run() {
    while (running()) {
      sleep();
      while (const auto number = signals_.take()) receive(*number);
      pass_on();
      reap();
      if (stopping_ && kill_at_.passed()) signal_all(SIGKILL);
    }
    pass_on();
    for (Stream& stream : streams_) stream.pass_on_rest();
    return code_;
  }

 private:
  bool running() const {
    return std::any_of(children_.begin(), children_.end(), [](const ChildProcess& child) { return !child.ended(); });
  }

  void sleep() {
    std::vector<pollfd> waits{{signals_.fd(), POLLIN, 0}};
    for (const Stream& stream : streams_) waits.push_back({stream.fd(), POLLIN, 0});  // closed ones, -1, are ignored
    const int limit = stopping_ ? static_cast<int>(std::ceil(kill_at_.left() * 1000)) + 1 : -1;
    ::poll(waits.data(), waits.size(), limit);
  }

  void receive(int number) {
    if (number == SIGCHLD) return;  // reap() looks
    if (number == SIGUSR1 || number == SIGUSR2) return signal_all(number);
    if (stopping_) return signal_all(SIGKILL);  // asked twice
    code_ = 128 + number;
    stop(number);
  }

  void pass_on() {
    for (Stream& stream : streams_)
      if (!stream.drain() && !stopping_) {  // nobody reads us any more
        code_ = 128 + SIGPIPE;
        stop(SIGTERM);
      }
  }

  /// The first failure decides. Where several ended since the last look, one that was killed goes before one that left:
  /// a rank that loses its peer soon leaves too.
  void reap() {
    std::optional<std::size_t> failed;
    std::vector<int> statuses(children_.size(), 0);
    for (std::size_t rank = 0; rank < children_.size(); ++rank) {
      if (children_[rank].ended()) continue;
      statuses[rank] = children_[rank].poll().value_or(0);
      if (statuses[rank] == 0) continue;
      if (!failed || (exit_code_of(statuses[rank]) > 128 && exit_code_of(statuses[*failed]) <= 128)) failed = rank;
    }
    if (!failed || stopping_) return;
    pass_on();  // its last words come before ours
    code_ = exit_code_of(statuses[*failed]);
    std::cerr << "tightwire: rank " << *failed << " " << describe_end(statuses[*failed])
              << (running() ? "; stopping the others\n" : "\n");
    stop(SIGTERM);
  }

  void stop(int number) {
    stopping_ = true;
    kill_at_ = Deadline::in(options_.grace_seconds);
    signal_all(number);
    signal_all(SIGCONT);  // a stopped process would not notice
  }

  void signal_all(int number) {
    for (const ChildProcess& child : children_) child.signal(number);
  }

  SignalInbox& signals_;
  SuperviseOptions options_;
  std::vector<ChildProcess> children_;
  std::vector<Stream> streams_;
  int code_ = 0;
  bool stopping_ = false;
  Deadline kill_at_ = Deadline::in(0);
};

}  // namespace

SignalInbox::SignalInbox() : pipe_before_(std::signal(SIGPIPE, SIG_IGN)) {
  sigset_t wanted;
  sigemptyset(&wanted);
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGCHLD}) sigaddset(&wanted, number);
  sigprocmask(SIG_BLOCK, &wanted, &before_);
  fd_ = Fd(signalfd(-1, &wanted, SFD_NONBLOCK | SFD_CLOEXEC));
  TW_CHECK(fd_.get() >= 0, SystemError, "cannot receive signals: ", std::strerror(errno));
}

SignalInbox::~SignalInbox() {
  sigprocmask(SIG_SETMASK, &before_, nullptr);
  std::signal(SIGPIPE, pipe_before_);
}

std::optional<int> SignalInbox::take() {
  signalfd_siginfo info;
  if (read(fd_.get(), &info, sizeof info) != sizeof info) return std::nullopt;
  return static_cast<int>(info.ssi_signo);
}

int supervise(SignalInbox& signals, const std::vector<ProcessOptions>& ranks, const SuperviseOptions& options) {
  return Supervisor(signals, ranks, options).run();
}

}  // namespace tw
