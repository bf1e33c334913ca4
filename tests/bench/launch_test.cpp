// `tightwire launch` with real processes: what ranks are told, whose failure counts, and that nothing is left behind.
#include <gtest/gtest.h>

#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <sstream>

#include "tools/process.hpp"

namespace tw {
namespace {

std::vector<std::string> launch_command(const std::vector<std::string>& options, const std::string& script) {
  std::vector<std::string> command{TW_TEST_TOOL, "launch"};
  command.insert(command.end(), options.begin(), options.end());
  for (const char* word : {"--", "sh", "-c"}) command.emplace_back(word);
  command.push_back(script);
  return command;
}

Finished launched(const std::vector<std::string>& options, const std::string& script,
                  std::map<std::string, std::string> environment = {}) {
  return run_process({launch_command(options, script), std::move(environment), {}});
}

std::multiset<std::string> lines_of(const std::string& text) {
  std::multiset<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.insert(line);
  return lines;
}

/// A job that was started and has printed `lines` lines, in full.
class RunningJob {
 public:
  RunningJob(const std::vector<std::string>& options, const std::string& script, std::ptrdiff_t lines)
      : launcher_({launch_command(options, script), {}, {}}) {
    while (std::count(out_.begin(), out_.end(), '\n') < lines && read_more()) {
    }
  }

  bool read_more() {
    pollfd ready{launcher_.out().get(), POLLIN, 0};
    poll(&ready, 1, -1);
    std::array<char, 4096> buffer;
    const ssize_t got = read(ready.fd, buffer.data(), buffer.size());
    if (got > 0) out_.append(buffer.data(), static_cast<std::size_t>(got));
    return got > 0;
  }

  /// Handles of the processes whose numbers were printed after "pid".
  std::vector<Fd> printed_processes() const {
    std::vector<Fd> handles;
    std::istringstream words(out_);
    for (std::string word; words >> word;)
      if (word == "pid" && words >> word)
        handles.emplace_back(static_cast<int>(syscall(SYS_pidfd_open, std::stoi(word), 0)));
    return handles;
  }

  ChildProcess& launcher() { return launcher_; }
  const std::string& out() const { return out_; }

 private:
  ChildProcess launcher_;
  std::string out_;
};

void expect_gone(const std::vector<Fd>& handles) {
  for (const Fd& handle : handles) {
    ASSERT_GE(handle.get(), 0);
    pollfd ended{handle.get(), POLLIN, 0};
    EXPECT_EQ(poll(&ended, 1, 10000), 1) << "a process outlived the job";
  }
}

TEST(Launch, TellsEachRankWhoItIsAndWhereToMeet) {
  const Finished job =
      launched({"-n", "3"},
               "echo $RANK/$WORLD_SIZE $LOCAL_RANK/$LOCAL_WORLD_SIZE $MASTER_ADDR; echo $MASTER_PORT $TW_RUN_ID >&2");
  EXPECT_EQ(job.code, 0);
  EXPECT_EQ(lines_of(job.out),
            (std::multiset<std::string>{"[0] 0/3 0/3 127.0.0.1", "[1] 1/3 1/3 127.0.0.1", "[2] 2/3 2/3 127.0.0.1"}));
  std::set<std::string> meeting_points;  // the same for all
  for (const std::string& line : lines_of(job.err)) meeting_points.insert(line.substr(4));
  EXPECT_EQ(meeting_points.size(), 1u) << job.err;
}

TEST(Launch, HidesAnOuterLauncher) {
  const Finished job = launched({"-n", "1"}, "echo ${OMPI_COMM_WORLD_RANK-none} ${SLURM_PROCID-none} $RANK",
                                {{"OMPI_COMM_WORLD_RANK", "5"}, {"SLURM_PROCID", "6"}, {"RANK", "7"}});
  EXPECT_EQ(job.out, "[0] none none 0\n");
}

TEST(Launch, PrefixesLinesAndEndsUnfinishedOnes) {
  EXPECT_EQ(launched({"-n", "1"}, "printf 'a\\n\\nb\\rc\\r\\nd'").out, "[0] a\n[0] \n[0] b\n[0] c\n[0] \n[0] d\n");
  EXPECT_EQ(launched({"-n", "1", "--no-prefix"}, "printf 'a\\rb'").out, "a\rb");
}

TEST(Launch, PassesOnMoreThanAPipeHolds) {
  const Finished job = launched({"-n", "2"}, "seq 30000");
  EXPECT_EQ(job.code, 0);
  EXPECT_EQ(std::count(job.out.begin(), job.out.end(), '\n'), 60000);
}

TEST(Launch, NamesTheFirstFailureAndStopsTheOthers) {
  const Finished left = launched({"-n", "3"}, "[ $RANK = 1 ] && exit 7; exec sleep 1000");
  EXPECT_EQ(left.code, 7);
  EXPECT_EQ(left.err, "tightwire: rank 1 ended with exit code 7; stopping the others\n");

  const Finished killed = launched({"-n", "3"}, "[ $RANK = 2 ] && kill -KILL $$; exec sleep 1000");
  EXPECT_EQ(killed.code, 128 + SIGKILL);
  EXPECT_EQ(killed.err, "tightwire: rank 2 was killed by signal 9 (Killed); stopping the others\n");
}

TEST(Launch, KillsRanksThatIgnoreTheRequestToEnd) {
  char folder[] = "/tmp/tightwire-launch-XXXXXX";
  ASSERT_NE(mkdtemp(folder), nullptr);
  const std::string ready = std::string(folder) + "/ready";
  ASSERT_EQ(mkfifo(ready.c_str(), 0600), 0);
  const Finished job = launched({"-n", "2", "--grace", "0.05"},
                                "[ $RANK = 0 ] && read word <$READY && exit 3\n"
                                "trap '' TERM; echo deaf >$READY; while :; do sleep 1000; done",
                                {{"READY", ready}});
  EXPECT_EQ(job.code, 3);
  std::filesystem::remove_all(folder);
}

TEST(Launch, SaysWhatCannotBeRun) {
  const Finished job = run_process({{TW_TEST_TOOL, "launch", "-n", "2", "--", "/no/such/program"}, {}, {}});
  EXPECT_EQ(job.code, 1);
  EXPECT_EQ(job.err, "tightwire launch: cannot run '/no/such/program': No such file or directory\n");
}

TEST(Launch, RefusesMisuse) {
  for (const char* ranks : {"0", "201", "x"}) EXPECT_EQ(launched({"-n", ranks}, "true").code, 2) << ranks;
  EXPECT_EQ(launched({}, "true").code, 2);
  EXPECT_EQ(run_process({{TW_TEST_TOOL, "launch", "-n", "2"}, {}, {}}).code, 2);
  EXPECT_EQ(launched({"-n", "1", "--grace", "-1"}, "true").code, 2);
  EXPECT_EQ(launched({"-n", "1", "--lab", "fast"}, "true").code, 2);
}

TEST(Launch, ForwardsASignalAndLeavesNothing) {
  for (const int number : {SIGINT, SIGTERM}) {
    RunningJob job({"-n", "2"}, "trap 'echo caught; exit 0' INT TERM; sleep 1000 & echo pid $! pid $$; wait", 2);
    const auto processes = job.printed_processes();
    EXPECT_EQ(processes.size(), 4u) << job.out();
    job.launcher().signal(number);
    while (job.read_more()) {
    }
    EXPECT_EQ(exit_code_of(job.launcher().wait()), 128 + number);
    EXPECT_NE(job.out().find("[0] caught\n"), std::string::npos) << job.out();
    EXPECT_NE(job.out().find("[1] caught\n"), std::string::npos) << job.out();
    expect_gone(processes);
  }
}

TEST(Launch, RanksDieWithALauncherThatIsKilled) {
  RunningJob job({"-n", "2"}, "echo pid $$; exec sleep 1000", 2);
  const auto processes = job.printed_processes();
  EXPECT_EQ(processes.size(), 2u) << job.out();
  job.launcher().signal(SIGKILL);
  expect_gone(processes);
}

TEST(Launch, EndsWhenNobodyReadsIt) {
  RunningJob job({"-n", "2"}, "echo pid $$; while :; do echo more; done", 4);
  const auto processes = job.printed_processes();
  job.launcher().out().close();
  EXPECT_EQ(exit_code_of(job.launcher().wait()), 128 + SIGPIPE);
  expect_gone(processes);
}

TEST(Launch, RunsEachRankOnALabHost) {
  const Finished job = launched({"-n", "2", "--lab", "1gbit"},
                                "echo $MASTER_ADDR $LOCAL_RANK $TW_LINK $TW_LINK_BURST; readlink /proc/self/ns/net");
  if (job.code == 1 && geteuid() != 0) GTEST_SKIP() << job.err;
  if (job.code == 1 && job.err.find("does not allow") != std::string::npos) GTEST_SKIP() << job.err;
  EXPECT_EQ(job.code, 0) << job.err;
  const auto lines = lines_of(job.out);
  EXPECT_EQ(lines.count("[0] 10.77.0.1 0 1gbit 128kb"), 1u) << job.out;
  EXPECT_EQ(lines.count("[1] 10.77.0.1 0 1gbit 128kb"), 1u) << job.out;
  std::set<std::string> namespaces;
  for (const std::string& line : lines)
    if (line.find("net:") != std::string::npos) namespaces.insert(line.substr(4));
  EXPECT_EQ(namespaces.size(), 2u) << job.out;
}

}  // namespace
}  // namespace tw
