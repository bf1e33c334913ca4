// UCX between hosts: network namespaces of this machine with a link between them. Needs root; skipped elsewhere.
//
// Namespaces share memory, and UCX would use it: that it does not is seen on the link's own counters.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include <tightwire/communicator.hpp>

#include "tests/support/processes.hpp"

namespace tw::test {
namespace {

constexpr std::uint32_t kRanks = 3;
constexpr std::uint64_t kCount = 1u << 21;  // 8 MiB a rank
constexpr double kDeadline = 2;

class UcxHosts : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "namespaces need root";
    const int status = lab("up " + std::to_string(kRanks) + " none");
    if (WEXITSTATUS(status) == 3) GTEST_SKIP() << "this machine does not allow network namespaces";
    ASSERT_EQ(status, 0);
  }
  void TearDown() override { lab("down"); }

  // Moves the calling process to host `rank`, with a view of its devices in /sys, where UCX looks for them.
  void move_to_host(std::uint32_t rank) const {
    const std::string path = "/run/netns/" + name_ + "-" + std::to_string(rank);
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, CLONE_NEWNET) != 0 || unshare(CLONE_NEWNS) != 0 ||
        mount("", "/", nullptr, MS_SLAVE | MS_REC, nullptr) != 0 || mount("sysfs", "/sys", "sysfs", 0, nullptr) != 0)
      throw std::runtime_error("cannot move to " + path);
    close(fd);
  }
  void cut_link(std::uint32_t rank) const {
    const std::string command = "ip -n " + name_ + "-sw link set s" + std::to_string(rank) + " down";
    ASSERT_EQ(std::system(command.c_str()), 0);
  }

 private:
  int lab(const std::string& arguments) const {
    return std::system(("TW_LAB=" + name_ + " " TW_TEST_LAB " " + arguments).c_str());
  }
  const std::string name_ = "twlabt" + std::to_string(getpid());
};

Communicator join(std::uint32_t rank) {
  LaunchInfo launch;
  launch.rank = rank;
  launch.ranks = kRanks;
  launch.master_addr = "10.77.0.1";
  return {connect(launch, {.transport = "ucx", .interface = "e0"}), {}};
}

// Bytes that this host sent over its link.
std::uint64_t sent_over_link() {
  std::ifstream devices("/proc/self/net/dev");
  for (std::string line; std::getline(devices, line);) {
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos || line.find("e0") > colon) continue;
    std::istringstream fields(line.substr(colon + 1));
    std::uint64_t value = 0;
    for (int field = 0; field < 9; ++field) fields >> value;  // 8 of reception come first
    return value;
  }
  throw std::runtime_error("no interface e0");
}

// One step; `before_second` runs before the second.
std::string train(std::uint32_t rank, const std::function<void()>& before_second) {
  Communicator communicator = join(rank);
  std::vector<Param> params{{"a", 0, 1, kCount, DType::f32}};
  std::vector<float> values(kCount);
  communicator.register_parameters(params, plan_buckets(params, 4 * kCount));
  for (std::uint64_t step = 0; step < 2; ++step) {
    if (step == 1) before_second();
    values.assign(kCount, static_cast<float>(rank + step));
    communicator.begin_step({step, 0.1, 1});
    const Piece piece{&params[0], 0, {values.data(), DType::f32, kCount}};
    const Work work = communicator.all_reduce({0, {&piece, 1}});
    communicator.end_step(Deadline::in(step == 0 ? 30 : kDeadline));
    const float mean = 1.0f + static_cast<float>(step);  // of ranks 0, 1, 2
    if (values.front() != mean || values.back() != mean) return "wrong mean";
  }
  return "fine";
}

TEST_F(UcxHosts, TakesTheNetworkThoughMemoryCouldBeShared) {
  Processes processes(kRanks, [&](std::uint32_t rank, const Milestone&) {
    move_to_host(rank);
    const std::string outcome = train(rank, [] {});
    const std::uint64_t shares = 2 * (kRanks - 1) * 4 * kCount / kRanks;  // a step sends that much
    return sent_over_link() > 2 * shares ? outcome : "only " + std::to_string(sent_over_link()) + " bytes on the link";
  });
  for (std::uint32_t rank = 0; rank < kRanks; ++rank) EXPECT_EQ(processes.outcome(rank), "fine");
}

// Rank 1 is struck when all others are in the middle of an all-reduce with it.
void expect_named(Processes& processes) {
  for (const std::uint32_t rank : {0u, 2u}) {
    const std::string outcome = processes.outcome(rank);
    EXPECT_TRUE(outcome.starts_with("PeerError 1: ")) << "rank " << rank << ": " << outcome;
  }
}

TEST_F(UcxHosts, AKilledOrStoppedRankIsNamedByAll) {
  for (const int signal : {SIGKILL, SIGSTOP}) {
    Processes processes(kRanks, [&](std::uint32_t rank, const Milestone& reached) {
      move_to_host(rank);
      return train(rank, [&] {
        if (rank != 1) return;
        reached();
        for (;;) pause();
      });
    });
    ASSERT_TRUE(processes.wait_for_milestone(1)) << processes.outcome(1);
    processes.kill(1, signal);
    expect_named(processes);
  }
}

TEST_F(UcxHosts, ARankThatIsCutOffIsNamedByAll) {
  Processes processes(kRanks, [&](std::uint32_t rank, const Milestone& reached) {
    move_to_host(rank);
    return train(rank, [&] {
      if (rank != 1) return;
      reached();
      for (;;) pause();
    });
  });
  ASSERT_TRUE(processes.wait_for_milestone(1)) << processes.outcome(1);
  cut_link(1);
  expect_named(processes);
}

}  // namespace
}  // namespace tw::test
