#include "tests/support/processes.hpp"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <stdexcept>

#include <tightwire/error.hpp>

namespace tw::test {
namespace {

struct Pipe {
  int ends[2];
  Pipe() {
    if (pipe(ends) != 0) throw std::runtime_error("no pipe");
  }
};

std::string run(const Processes::Body& body, std::uint32_t rank, const Milestone& reached) {
  try {
    return body(rank, reached);
  } catch (const PeerError& error) {
    return "PeerError " + std::to_string(error.rank()) + ": " + error.what();
  } catch (const WireError& error) {
    return std::string("WireError: ") + error.what();
  } catch (const UsageError& error) {
    return std::string("UsageError: ") + error.what();
  } catch (const SystemError& error) {
    return std::string("SystemError: ") + error.what();
  } catch (const std::exception& error) {
    return std::string("exception: ") + error.what();
  }
}

void write_all(int pipe, const std::string& text) {
  for (std::size_t written = 0; written < text.size();) {
    const ssize_t took = write(pipe, text.data() + written, text.size() - written);
    if (took > 0) written += static_cast<std::size_t>(took);
    if (took < 0 && errno != EINTR) return;
  }
}

std::string read_all(int pipe) {
  std::string text;
  char part[4096];
  for (;;) {
    const ssize_t got = read(pipe, part, sizeof part);
    if (got > 0) text.append(part, static_cast<std::size_t>(got));
    if (got == 0 || (got < 0 && errno != EINTR)) return text;
  }
}

}  // namespace

void Milestone::operator()() const { write_all(pipe_, "."); }

Processes::Processes(std::uint32_t ranks, const Body& body) : children_(ranks) {
  std::fflush(nullptr);
  for (std::uint32_t rank = 0; rank < ranks; ++rank) {
    const Pipe milestones, report;
    const pid_t parent = getpid();
    const pid_t pid = fork();
    if (pid < 0) throw std::runtime_error("cannot fork");
    if (pid == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (getppid() != parent) _exit(1);
      write_all(report.ends[1], run(body, rank, Milestone(milestones.ends[1])));
      std::fflush(nullptr);
      _exit(0);
    }
    close(milestones.ends[1]);
    close(report.ends[1]);
    children_[rank] = {pid, milestones.ends[0], report.ends[0], false, {}};
  }
}

Processes::~Processes() {
  for (std::uint32_t rank = 0; rank < children_.size(); ++rank) {
    if (!children_[rank].ended) {
      ::kill(children_[rank].pid, SIGKILL);
      outcome(rank);
    }
    close(children_[rank].milestones);
    close(children_[rank].report);
  }
}

void Processes::kill(std::uint32_t rank, int signal) const { ::kill(children_[rank].pid, signal); }

bool Processes::wait_for_milestone(std::uint32_t rank) const {
  char dot = 0;
  ssize_t got = -1;
  do {
    got = read(children_[rank].milestones, &dot, 1);
  } while (got < 0 && errno == EINTR);
  return got == 1;
}

std::string Processes::outcome(std::uint32_t rank) {
  Child& child = children_[rank];
  if (child.ended) return child.outcome;
  child.outcome = read_all(child.report);
  int status = 0;
  while (waitpid(child.pid, &status, 0) < 0 && errno == EINTR) {
  }
  child.ended = true;
  if (WIFSIGNALED(status)) child.outcome = "signal " + std::to_string(WTERMSIG(status));
  if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
    child.outcome += " (exit status " + std::to_string(WEXITSTATUS(status)) + ")";
  return child.outcome;
}

}  // namespace tw::test
