// Who this process is, by recorded environments of launchers (environments/*.env) and by bad ones.
#include <gtest/gtest.h>

#include <fstream>
#include <map>

#include <tightwire/error.hpp>
#include <tightwire/launch.hpp>

#include "collectives/nodelist.hpp"

namespace tw {
namespace {

using Variables = std::map<std::string, std::string>;

Variables recorded(const std::string& name) {
  std::ifstream file(std::string(TW_TEST_ENVIRONMENTS "/") + name + ".env");
  EXPECT_TRUE(file.good()) << name;
  Variables variables;
  for (std::string line; std::getline(file, line);)
    if (!line.starts_with('#')) variables[line.substr(0, line.find('='))] = line.substr(line.find('=') + 1);
  return variables;
}

Variables joined(Variables a, const Variables& b) {
  a.insert(b.begin(), b.end());
  return a;
}

LaunchInfo launch(const Variables& variables, const LaunchInfo::Flags& flags = {}) {
  return LaunchInfo::from(
      [&](const std::string& name) {
        const auto found = variables.find(name);
        return found == variables.end() ? std::nullopt : std::optional(found->second);
      },
      flags);
}

std::string refusal(const Variables& variables, const LaunchInfo::Flags& flags = {}) {
  try {
    launch(variables, flags);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

void expect_launch(const LaunchInfo& info, const LaunchInfo& expected) {
  EXPECT_EQ(info.launcher, expected.launcher);
  EXPECT_EQ(info.rank, expected.rank);
  EXPECT_EQ(info.ranks, expected.ranks);
  EXPECT_EQ(info.local_rank, expected.local_rank);
  EXPECT_EQ(info.local_ranks, expected.local_ranks);
  EXPECT_EQ(info.master_addr, expected.master_addr);
  EXPECT_EQ(info.master_port, expected.master_port);
  EXPECT_EQ(info.run_id, expected.run_id);
}

TEST(Launch, NobodySpeaks) { expect_launch(launch({}), {0, 1, 0, 1, "127.0.0.1", 29500, "", "none"}); }

TEST(Launch, ReadsTorchrunAndLeavesItsStoreThePort) {
  expect_launch(launch(recorded("torchrun")), {6, 8, 2, 4, "node-a.cluster", 40122, "resnet-17/1", "torchrun"});
  Variables own_store = recorded("torchrun");
  own_store.erase("TORCHELASTIC_USE_AGENT_STORE");
  EXPECT_EQ(launch(own_store).master_port, 40121);
}

TEST(Launch, ReadsOpenMpi) {
  expect_launch(launch(recorded("openmpi4")), {3, 4, 3, 4, "127.0.0.1", 29500, "1845166081", "openmpi"});
  expect_launch(launch(recorded("openmpi5")), {5, 8, 1, 4, "10.1.0.1", 29500, "prterun-node-a-3181@1", "openmpi"});
}

TEST(Launch, ReadsPmiAndMvapich) {
  expect_launch(launch(recorded("hydra")), {1, 4, 1, 4, "127.0.0.1", 29500, "", "pmi"});
  expect_launch(launch(recorded("mvapich")), {2, 4, 2, 4, "127.0.0.1", 29500, "", "mvapich"});
}

TEST(Launch, ReadsAStepOfSlurm) {
  expect_launch(launch(recorded("srun")), {4, 5, 0, 1, "gpu007", 61440 + 1234567 % 4096, "1234567.2", "slurm"});
}

TEST(Launch, ABatchScriptAndAnInteractiveShellAreOneProcess) {
  EXPECT_EQ(launch(recorded("sbatch")).launcher, "none");
  EXPECT_EQ(launch(recorded("salloc")).launcher, "none");
  EXPECT_EQ(launch(recorded("salloc")).ranks, 1u);
}

TEST(Launch, AnyOtherLauncherWinsOverSlurm) {
  expect_launch(launch(joined(recorded("openmpi4"), recorded("srun"))),
                {3, 4, 3, 4, "127.0.0.1", 29500, "1845166081", "openmpi"});
  EXPECT_EQ(launch(joined(recorded("torchrun"), recorded("srun"))).launcher, "torchrun");
}

TEST(Launch, OwnVariablesWinOverLaunchers) {
  const Variables own{{"TW_RANK", "1"},
                      {"TW_WORLD_SIZE", "2"},
                      {"TW_RUN_ID", "here"},
                      {"TW_MASTER_ADDR", "::1"},
                      {"TW_MASTER_PORT", "5"}};
  expect_launch(launch(joined(own, recorded("openmpi5"))), {1, 2, 1, 2, "::1", 5, "here", "tightwire"});
}

TEST(Launch, FlagsWinOverAll) {
  const LaunchInfo::Flags flags{2, 3, "10.0.0.9", std::uint16_t{77}};
  const LaunchInfo info = launch(joined({{"TW_RANK", "1"}, {"TW_WORLD_SIZE", "2"}}, recorded("torchrun")), flags);
  EXPECT_EQ(info.launcher, "flags");
  EXPECT_EQ(info.rank, 2u);
  EXPECT_EQ(info.ranks, 3u);
  EXPECT_EQ(info.master_addr, "10.0.0.9");
  EXPECT_EQ(info.master_port, 77);
}

TEST(Launch, RefusesLaunchersThatDisagreeNamingBoth) {
  const Variables both = joined(recorded("torchrun"), recorded("hydra"));
  EXPECT_EQ(refusal(both),
            "two launchers disagree: torchrun says rank 6 of 8 (RANK, WORLD_SIZE), pmi says rank 1 of 4 (PMI_RANK, "
            "PMI_SIZE); unset one's variables, or set TW_RANK and TW_WORLD_SIZE");
  EXPECT_EQ(refusal(both, {.rank = 0, .ranks = 2}), "");
  EXPECT_EQ(refusal(joined(both, {{"TW_RANK", "0"}, {"TW_WORLD_SIZE", "1"}})), "");
}

TEST(Launch, LaunchersThatAgreeAreFine) {
  EXPECT_EQ(launch(joined(recorded("hydra"), {{"RANK", "1"}, {"WORLD_SIZE", "4"}})).launcher, "torchrun");
}

TEST(Launch, RefusesWrongRanksAndNumbers) {
  EXPECT_EQ(refusal({{"RANK", "4"}, {"WORLD_SIZE", "4"}}), "rank 4 of 4 (said torchrun); ranks are 0 to 3");
  EXPECT_EQ(refusal({{"RANK", "0"}, {"WORLD_SIZE", "0"}}), "0 ranks; 1 to 65536");
  EXPECT_EQ(refusal({{"RANK", "x"}, {"WORLD_SIZE", "4"}}), "RANK is 'x'; a whole number from 0 to 65536 is needed");
  EXPECT_EQ(refusal({{"RANK", "-1"}, {"WORLD_SIZE", "4"}}), "RANK is '-1'; a whole number from 0 to 65536 is needed");
  EXPECT_EQ(refusal({{"MASTER_PORT", "65536"}}), "MASTER_PORT is '65536'; a whole number from 0 to 65535 is needed");
  EXPECT_EQ(refusal({{"RANK", "1"}}), "RANK is set but WORLD_SIZE is not; torchrun sets both");
  EXPECT_EQ(refusal({}, {.rank = 1}), "only the rank was given, and no launcher says the other");
  EXPECT_EQ(refusal({}, {.ranks = 2}), "only the number of ranks was given, and no launcher says the other");
  EXPECT_EQ(refusal({}, {.rank = 3, .ranks = 2}), "rank 3 of 2 (said flags); ranks are 0 to 1");
}

TEST(Launch, RanksOnSeveralHostsMustKnowWhereToMeet) {
  Variables variables = recorded("openmpi5");
  variables.erase("MASTER_ADDR");
  EXPECT_EQ(refusal(variables),
            "openmpi runs 8 ranks, 4 of them on this host, but does not say where they meet: set MASTER_ADDR to the "
            "host of rank 0");
}

TEST(Nodelist, FindsTheFirstHost) {
  EXPECT_EQ(first_host("n[001-005],x"), "n001");
  EXPECT_EQ(first_host("x,n[001-005]"), "x");
  EXPECT_EQ(first_host("login"), "login");
  EXPECT_EQ(first_host("rack[2,4]n[7-9]-ib,y"), "rack2n7-ib");
  for (const char* bad : {"", ",n1", "n[1", "n[]", "[-3]"}) EXPECT_THROW(first_host(bad), UsageError) << bad;
}

TEST(Nodelist, CountsTheTasksOfANode) {
  EXPECT_EQ(tasks_on_node("2(x3),1", 0), 2u);
  EXPECT_EQ(tasks_on_node("2(x3),1", 2), 2u);
  EXPECT_EQ(tasks_on_node("2(x3),1", 3), 1u);
  EXPECT_EQ(tasks_on_node("16", 0), 16u);
  EXPECT_THROW(tasks_on_node("2(x3),1", 4), UsageError);
  for (const char* bad : {"", "x", "2(x", "2(3)", "0"}) EXPECT_THROW(tasks_on_node(bad, 0), UsageError) << bad;
}

}  // namespace
}  // namespace tw
