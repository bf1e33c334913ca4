// `tightwire report`: what it reads and refuses, what it says, and that its page needs nobody else. The fixture is what
// six runs of tightwire-train and one of bench all_reduce wrote, joined by `report -o report.json`.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "bench/report/page.hpp"
#include "bench/report/plots.hpp"
#include "bench/report/svg.hpp"
#include "bench/report/verdict.hpp"
#include "kernels/base/check.hpp"
#include "tools/files.hpp"
#include "tools/process.hpp"

namespace tw::report {
namespace {

const std::string kFixture = TW_TEST_FIXTURES "/report.json";

class Report : public testing::Test {
 protected:
  Report() {
    char path[] = "/tmp/tightwire-report-XXXXXX";
    folder_ = mkdtemp(path);
    const auto fixture = read_json(kFixture);
    for (const auto& input : fixture["inputs"])
      if (input["kind"] == "train" && training_.is_null()) training_ = input;
  }
  ~Report() override { std::filesystem::remove_all(folder_); }

  std::string path(const char* name) const { return folder_ + "/" + name; }
  std::string write(const char* name, const nlohmann::ordered_json& json) const {
    write_json(path(name), json);
    return path(name);
  }
  static std::string refusal(const std::string& file) {
    try {
      read_results({file});
    } catch (const UsageError& error) {
      return error.what();
    }
    return "nothing was refused";
  }
  static Finished report(std::vector<std::string> words) {
    words.insert(words.begin(), {TW_TEST_TOOL, "report"});
    return run_process({words, {}, {}});
  }

  std::string folder_;
  nlohmann::ordered_json training_;
};

TEST_F(Report, ReadsRunsThatBelongTogether) {
  const Results results = read_results({kFixture});
  ASSERT_EQ(results.trainings.size(), 1u);
  const TrainingGroup& group = results.trainings[0];
  ASSERT_EQ(group.runs.size(), 6u);
  EXPECT_TRUE(group.runs.front().dense());
  EXPECT_FALSE(group.runs.back().exchange);
  ASSERT_NE(group.bf16(), nullptr);
  EXPECT_GT(group.dense()->wire_bytes, 1.9 * group.bf16()->wire_bytes);
  for (const Training& run : group.runs)
    EXPECT_NEAR(run.compute + run.encode + run.comm + run.decode, run.mean, 1e-9) << run.label();
  ASSERT_EQ(results.reductions.size(), 1u);
  EXPECT_EQ(results.reductions[0].rows.size(), 9u);
  EXPECT_EQ(results.reductions[0].conditions.link_rate(), 125e6);
}

TEST_F(Report, KeepsRunsOfOtherConditionsApartAndJoinsRowsOfTheSame) {
  training_["ranks"] = 8;
  const Results results = read_results({kFixture, write("other.json", training_), kFixture});
  EXPECT_EQ(results.trainings.size(), 2u);
  ASSERT_EQ(results.reductions.size(), 1u);
  EXPECT_EQ(results.reductions[0].rows.size(), 18u);
}

TEST_F(Report, IgnoresUnknownFields) {
  training_["later_invention"] = {{"deep", 1}};
  training_["context"]["more"] = nullptr;
  EXPECT_EQ(read_results({write("a.json", training_)}).trainings.size(), 1u);
}

TEST_F(Report, RefusesWhatIsNotOursAndSaysWhy) {
  EXPECT_EQ(refusal(write("a.json", {{"args", {"all_reduce_perf"}}, {"version", 3}})),
            "'" + path("a.json") + "' is not a result of tightwire: it has no 'kind' and 'schema_version'");
  EXPECT_EQ(refusal(write("b.json", nlohmann::ordered_json::array({1, 2}))),
            "'" + path("b.json") + "' is not a result of tightwire: it has no 'kind' and 'schema_version'");
  EXPECT_EQ(
      refusal(write("c.json", {{"kind", "info"}, {"schema_version", 1}})),
      "'" + path("c.json") + "' is of kind 'info'; a report is made of: train, bench all_reduce, bench codecs, report");
  training_["schema_version"] = 2;
  EXPECT_EQ(refusal(write("d.json", training_)),
            "'" + path("d.json") + "' has schema_version 2; this tightwire reads 1 to 1");
}

TEST_F(Report, ShowsCodecsThatLackSomeSpeeds) {
  const nlohmann::ordered_json row{{"codec", "bf16"},    {"data", "gaussian"}, {"bits_per_element", 16},
                                   {"vnmse", 2.76e-6},   {"encode_gbps", 5},   {"encode_ef_gbps", nullptr},
                                   {"decode_gbps", 7.5}, {"memcpy_gbps", 10}};
  const std::string file = write("a.json", {{"kind", "bench codecs"}, {"schema_version", 1}, {"results", {row}}});
  const auto sections = sections_of(read_results({file}), Plots::with);
  ASSERT_EQ(sections.size(), 1u);
  EXPECT_EQ(sections[0].table.rows()[0],
            (std::vector<std::string>{"bf16", "gaussian", "16.000", "2.76e-06", "5.00", "-", "7.50", "10.00"}));
  ASSERT_EQ(sections[0].plots.size(), 1u);
  EXPECT_NE(sections[0].plots[0].find("bf16 decode: 0.75 times"), std::string::npos) << sections[0].plots[0];
}

TEST_F(Report, NamesAMissingOrWrongField) {
  auto missing = training_;
  missing.erase("step_seconds_mean");
  EXPECT_EQ(refusal(write("a.json", missing)), "'" + path("a.json") + "': 'step_seconds_mean' is missing");
  training_["codec"] = 7;
  EXPECT_EQ(refusal(write("b.json", training_)), "'" + path("b.json") + "': 'codec' is 7, which is of the wrong type");
  EXPECT_EQ(refusal(write("c.json", {{"kind", "bench codecs"}, {"schema_version", 1}})),
            "'" + path("c.json") + "': 'results' is missing or no list");
}

TEST_F(Report, RefusesSizesThatNoAxisCanShow) {
  nlohmann::ordered_json file;
  const auto fixture = read_json(kFixture);
  for (const auto& input : fixture["inputs"])
    if (input["kind"] == "bench all_reduce") file = input;
  file["results"][0]["bytes"] = 0;
  EXPECT_EQ(refusal(write("a.json", file)), "'" + path("a.json") + "': 'bytes' is 0; sizes are 1 and more");
}

TEST_F(Report, CommandWritesEveryFormat) {
  const Finished run = report({kFixture, "-o", path("r.html"), "-o", path("r.md"), "-o", path("r.json")});
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_NE(run.out.find("topk:ratio=0.01+ef"), std::string::npos);
  EXPECT_EQ(read_text(path("r.html")).substr(0, 15), "<!DOCTYPE html>");
  EXPECT_NE(read_text(path("r.md")).find("| bf16 |"), std::string::npos);
  // The JSON is a result like others: the same report comes out of it.
  EXPECT_EQ(report({path("r.json")}).out, run.out);
  EXPECT_EQ(read_json(path("r.json"))["verdicts"].size(), 2u);
  EXPECT_EQ(report({kFixture, "--quiet"}).out, "");
}

TEST_F(Report, CommandRefusesMisuse) {
  EXPECT_EQ(report({}).code, 2);
  EXPECT_EQ(report({path("none.json")}).code, 1);
  EXPECT_EQ(report({kFixture, "-o", path("r.pdf")}).code, 2);
  EXPECT_EQ(report({kFixture, "-o", path("no/such/folder/r.md")}).code, 1);
  std::ofstream(path("half.json")) << "{\"kind\": ";
  const Finished half = report({path("half.json")});
  EXPECT_EQ(half.code, 2);
  EXPECT_NE(half.err.find("'" + path("half.json") + "' is not JSON"), std::string::npos) << half.err;
}

TEST_F(Report, PageIsSelfContainedAndEscaped) {
  training_["codec"] = "<script>alert(1)</script>&\"";
  const auto sections = sections_of(read_results({kFixture, write("evil.json", training_)}), Plots::with);
  std::string html = as_html(sections);
  EXPECT_EQ(html.find("<script"), std::string::npos);
  EXPECT_NE(html.find("&lt;script&gt;alert(1)&lt;/script&gt;&amp;&quot;"), std::string::npos);
  for (const char* fetching : {"<link", "<img", "src=", "href=", "@import", "url("})
    EXPECT_EQ(html.find(fetching), std::string::npos) << fetching;
  const std::string name_space = "xmlns=\"http://www.w3.org/2000/svg\"";
  for (std::size_t at; (at = html.find(name_space)) != std::string::npos;) html.erase(at, name_space.size());
  EXPECT_EQ(html.find("http"), std::string::npos);
  // Step time, bytes, speed-up over dense and over bf16, accuracy; bus and wire bandwidth.
  EXPECT_EQ(sections[0].plots.size(), 5u);
  EXPECT_EQ(sections[1].plots.size(), 2u);
}

Training run_of(const std::string& codec, double seconds, double accuracy) {
  Training run;
  run.codec = codec;
  run.median = seconds;
  run.accuracy = accuracy;
  run.steps = 150;
  run.conditions.link = "1gbit";
  run.conditions.ranks = 4;
  return run;
}

TEST(Verdict, NamesWhatPaysMostAndWhatIsLeft) {
  TrainingGroup group{{run_of("identity", 0.366, 0.84), run_of("bf16", 0.221, 0.84), run_of("topk", 0.101, 0.835)}};
  EXPECT_EQ(verdict(group),
            "On this link (1gbit, 4 ranks) topk pays most: 101 ms a step, 3.62 times as fast as dense and 2.19 times "
            "as bf16, test accuracy 0.5 points below dense after 150 steps.");
  group.runs.push_back(run_of("identity", 0.066, 0.8));
  group.runs.back().exchange = false;
  EXPECT_TRUE(
      verdict(group).ends_with(" A step without any exchange takes 66.0 ms: 35.0 ms of the exchange are left."));
}

TEST(Verdict, SaysPlainlyWhenNothingPays) {
  const TrainingGroup group{{run_of("identity", 0.070, 0.84), run_of("bf16", 0.069, 0.84), run_of("topk", 0.09, 0.8)}};
  EXPECT_EQ(verdict(group),
            "On this link (1gbit, 4 ranks) nothing pays: dense takes 70.0 ms a step, and the fastest codec, bf16, 69.0 "
            "ms.");
}

TEST(Verdict, SaysWhenBf16IsAllItTakes) {
  const TrainingGroup group{{run_of("identity", 0.366, 0.84), run_of("bf16", 0.2, 0.84), run_of("topk", 0.198, 0.8)}};
  EXPECT_EQ(verdict(group),
            "On this link (1gbit, 4 ranks) bf16 is all it takes: 200 ms a step, 1.83 times as fast as dense, the test "
            "accuracy of dense; no other codec is faster by more than 3 %.");
}

TEST(Verdict, WarnsOfLostAccuracyAndNamesTheFastestWithoutIt) {
  TrainingGroup group{{run_of("identity", 0.366, 0.84), run_of("int8", 0.15, 0.838), run_of("topk", 0.1, 0.82)}};
  EXPECT_NE(verdict(group).find("topk is the fastest: 100 ms"), std::string::npos) << verdict(group);
  EXPECT_TRUE(verdict(group).ends_with(
      "test accuracy 2.0 points below dense after 150 steps. Of those within 1 point of dense, int8 pays most: "
      "150 ms a step, 2.44 times as fast as dense, test accuracy 0.2 points below dense after 150 steps."))
      << verdict(group);
  group.runs[1].accuracy = 0.82;
  EXPECT_TRUE(verdict(group).ends_with("No faster codec stays within 1 point of dense: for as many steps none pays."))
      << verdict(group);
}

TEST(Verdict, NeedsSomethingToCompare) {
  EXPECT_EQ(verdict(TrainingGroup{{run_of("bf16", 0.2, 0.84)}}),
            "Without a dense run (codec identity) there is nothing to compare with.");
  EXPECT_EQ(verdict(TrainingGroup{{run_of("identity", 0.2, 0.84)}}), "No codec was tried.");
}

TEST(Verdict, OfAllReducesIsAboutTheLargestSize) {
  const auto row = [](const char* codec, double bytes, double time_us) {
    Reduction one;
    one.codec = codec, one.bytes = bytes, one.time_us = time_us;
    return one;
  };
  ReductionSet set;
  set.rows = {row("identity", 1 << 20, 9000), row("int8", 1 << 20, 3000), row("identity", 1 << 10, 100),
              row("int8", 1 << 10, 300)};
  EXPECT_EQ(verdict(set),
            "At 1MiB int8 is the fastest: 3.00 ms, 3.00 times as fast as f32 as it is, relative error 0.0000.");
  set.rows[1].time_us = 8900;
  EXPECT_EQ(verdict(set), "At 1MiB no codec is faster than sending f32 as it is (9.00 ms; int8 takes 8.90 ms).");
  set.rows.erase(set.rows.begin());
  EXPECT_EQ(verdict(set), "");
}

TEST(Conditions, UnderstandsLinkRates) {
  const auto rate = [](const char* link) {
    Conditions conditions;
    conditions.link = link;
    return conditions.link_rate();
  };
  EXPECT_EQ(rate("1gbit"), 125e6);
  EXPECT_EQ(rate("100mbit"), 12.5e6);
  EXPECT_EQ(rate("2.5gbit (emulated)"), 312.5e6);
  for (const char* link : {"", "none", "loopback", "gbit", "4", "-1gbit"}) EXPECT_EQ(rate(link), std::nullopt) << link;
}

TEST(Plots, SurviveNothingAndZero) {
  EXPECT_NE(draw(BarChart{"t", {}, {}, "ms", {}}).find("</svg>"), std::string::npos);
  EXPECT_NE(draw(DotChart{"t", "%", {}}).find("</svg>"), std::string::npos);
  EXPECT_NE(draw(CurveChart{"t", "GB/s", {}, {}}).find("</svg>"), std::string::npos);
  const std::string flat = draw(CurveChart{"t", "GB/s", {{"a", {{1024, 0, ""}}}}, {}});
  EXPECT_EQ(flat.find("nan"), std::string::npos);
  EXPECT_EQ(flat.find("inf"), std::string::npos);
}

TEST(Plots, TicksAreRound) {
  EXPECT_DOUBLE_EQ(tick_step(366, 5), 100);
  EXPECT_DOUBLE_EQ(tick_step(0.13, 5), 0.05);
  EXPECT_DOUBLE_EQ(tick_step(1, 5), 0.2);
  EXPECT_DOUBLE_EQ(tick_step(0, 5), 1);
}

}  // namespace
}  // namespace tw::report
