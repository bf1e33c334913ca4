// Ranks as real processes, to be killed and stopped: each is forked from the test and runs a body; what it returns, or
// throws, comes back as text.
//
//   Processes ranks(4, [&](std::uint32_t rank, const Milestone& reached) { ...; reached(); ...; return "fine"; });
//   ranks.wait_for_milestone(1);  ranks.kill(1, SIGKILL);
//   EXPECT_EQ(ranks.outcome(0), "PeerError 1: ...");
//
// Create them before the test starts any thread. Processes that are left over are killed.
#pragma once

#include <sys/types.h>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace tw::test {

/// Tells the test, from within a rank, that it has come to where the test waits for it.
class Milestone {
 public:
  explicit Milestone(int pipe) : pipe_(pipe) {}
  void operator()() const;

 private:
  int pipe_;
};

class Processes {
 public:
  using Body = std::function<std::string(std::uint32_t rank, const Milestone& reached)>;

  Processes(std::uint32_t ranks, const Body& body);
  ~Processes();
  Processes(const Processes&) = delete;
  Processes& operator=(const Processes&) = delete;

  pid_t pid(std::uint32_t rank) const { return children_[rank].pid; }
  void kill(std::uint32_t rank, int signal) const;
  /// Blocks until the rank has told its next milestone. False if it ended without.
  bool wait_for_milestone(std::uint32_t rank) const;
  /// Blocks until the rank has ended. What its body returned; of an exception "PeerError 2: what it says" (the number
  /// is the culprit) or the like; of a process killed by a signal "signal 9".
  std::string outcome(std::uint32_t rank);

 private:
  struct Child {
    pid_t pid = -1;
    int milestones = -1;  // the reading ends
    int report = -1;
    bool ended = false;
    std::string outcome;
  };
  std::vector<Child> children_;
};

}  // namespace tw::test
