// What a report says of training runs, of all-reduces and of codecs.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "bench/report/page.hpp"
#include "bench/report/plots.hpp"
#include "bench/report/verdict.hpp"
#include "bench/sizes.hpp"
#include "kernels/base/check.hpp"

namespace tw::report {
namespace {

std::string conditions_text(const Conditions& conditions) {
  std::string text =
      detail::concat(conditions.ranks, conditions.ranks == 1 ? " rank, " : " ranks, ", conditions.threads,
                     conditions.threads == 1 ? " thread each, link " : " threads each, link ", conditions.link_text());
  for (const std::string& part : {conditions.cpu, conditions.compiler})
    text.append(part.empty() ? "" : ", ").append(part);
  if (conditions.cores != 0) text += detail::concat(", ", conditions.cores, " cores");
  for (const std::string& library : conditions.libraries) text.append(", ").append(library);
  if (!conditions.revision.empty()) text.append(", tightwire ").append(conditions.revision);
  if (!conditions.date.empty()) text.append(", ").append(conditions.date);
  return text;
}

std::string milliseconds(double seconds) { return fixed(seconds * 1e3, 1); }
std::string factor(const Training* base, const Training& run) {
  return base == nullptr || run.median <= 0 ? "-" : fixed(base->median / run.median, 2);
}
std::string points(const Training* base, const Training& run) {
  if (base == nullptr || base == &run) return "-";
  const std::string change = fixed(std::abs(100 * (run.accuracy - base->accuracy)), 1);
  return change == "0.0" ? change : (run.accuracy < base->accuracy ? '-' : '+') + change;
}

TextTable training_table(const TrainingGroup& group) {
  TextTable table({"codec", "step", "compute", "encode", "exposed", "decode", "sent/step", "vs dense", "vs bf16",
                   "accuracy", "points"});
  for (const Training& run : group.runs)
    table.add({run.label(), milliseconds(run.median), milliseconds(run.compute), milliseconds(run.encode),
               milliseconds(run.comm), milliseconds(run.decode), decimal_bytes(run.wire_bytes),
               factor(group.dense(), run), factor(group.bf16(), run), fixed(100 * run.accuracy, 2),
               points(group.dense(), run)});
  return table;
}

template <class Values, class Text>
BarChart bars(const TrainingGroup& group, std::string title, std::string unit, Values values, Text text) {
  BarChart chart{std::move(title), {}, {}, std::move(unit), {}};
  for (const Training& run : group.runs) chart.rows.push_back({run.label(), values(run), text(run)});
  return chart;
}

std::string step_plot(const TrainingGroup& group) {
  BarChart chart = bars(
      group, "Where a step's time goes (means)", "ms",
      [](const Training& run) {
        return std::vector{run.compute * 1e3, run.encode * 1e3, run.comm * 1e3, run.decode * 1e3};
      },
      [](const Training& run) { return milliseconds(run.mean) + " ms"; });
  chart.segments = {"compute", "encode", "exposed communication", "decode"};
  return draw(chart);
}

std::string speed_plot(const TrainingGroup& group, const Training* base, const std::string& name) {
  BarChart chart = bars(
      group, "Speed-up over " + name, "times",
      [&](const Training& run) { return std::vector{base->median / run.median}; },
      [&](const Training& run) { return factor(base, run); });
  chart.mark = BarChart::Mark{1, ""};
  return draw(chart);
}

std::vector<std::string> training_plots(const TrainingGroup& group) {
  std::vector<std::string> plots{step_plot(group)};
  plots.push_back(draw(bars(
      group, "Sent by a rank in a step", "MB", [](const Training& run) { return std::vector{run.wire_bytes / 1e6}; },
      [](const Training& run) { return decimal_bytes(run.wire_bytes); })));
  if (group.dense() != nullptr) plots.push_back(speed_plot(group, group.dense(), "dense"));
  if (group.bf16() != nullptr) plots.push_back(speed_plot(group, group.bf16(), "bf16"));
  DotChart accuracy{"Test accuracy", "%", {}};
  for (const Training& run : group.runs)
    if (run.exchange) accuracy.rows.push_back({run.label(), 100 * run.accuracy, fixed(100 * run.accuracy, 2) + " %"});
  plots.push_back(draw(accuracy));
  return plots;
}

Section training_section(const TrainingGroup& group, Plots plots) {
  const Training& first = group.runs.front();
  Section section{detail::concat("Training ", first.model, first.dataset.empty() ? "" : " on ", first.dataset, ", ",
                                 first.steps, " steps"),
                  verdict(group),
                  conditions_text(first.conditions),
                  training_table(group),
                  {},
                  {}};
  section.notes = {
      "step: median ms. compute, encode, exposed (communication that nothing hides) and decode: mean ms of the main "
      "thread, which add up to the mean step. sent/step: bytes a rank hands to the transport. vs: how many times as "
      "fast. accuracy: on the test set, in %; points: against dense."};
  for (const Training& run : group.runs)
    if (run.skipped != 0)
      section.notes.push_back(detail::concat(run.label(), " skipped ", run.skipped, " steps on all ranks."));
  if (group.alone() != nullptr)
    section.notes.push_back(
        "no exchange: every rank trains alone, the floor of any exchange; its accuracy is that of "
        "one rank's share of the data.");
  if (plots == Plots::with) section.plots = training_plots(group);
  return section;
}

/// Whether all rows took the same way; the title then says it once.
bool one_way(const ReductionSet& set) {
  return std::all_of(set.rows.begin(), set.rows.end(), [&](const Reduction& row) {
    return row.algorithm == set.rows.front().algorithm && row.transport == set.rows.front().transport;
  });
}
std::string name_of(const Reduction& row, const ReductionSet& set) {
  return one_way(set) ? row.codec : detail::concat(row.codec, ", ", row.algorithm, " over ", row.transport);
}

template <class Value>
CurveChart curves(const ReductionSet& set, std::string title, Value value) {
  CurveChart chart{std::move(title), "GB/s", {}, {}};
  for (const Reduction& row : set.rows) {
    const std::string name = name_of(row, set);
    auto series =
        std::find_if(chart.series.begin(), chart.series.end(), [&](const auto& one) { return one.name == name; });
    if (series == chart.series.end()) series = chart.series.insert(series, {name, {}});
    series->samples.push_back({row.bytes, value(row), short_bytes(row.bytes) + ": " + fixed(value(row), 3) + " GB/s"});
  }
  for (auto& series : chart.series)
    std::sort(series.samples.begin(), series.samples.end(),
              [](const auto& a, const auto& b) { return a.bytes < b.bytes; });
  if (const auto rate = set.conditions.link_rate())
    chart.mark = BarChart::Mark{*rate / 1e9, "link: " + fixed(*rate / 1e9, 3) + " GB/s"};
  return chart;
}

TextTable reduction_table(const ReductionSet& set) {
  TextTable table({one_way(set) ? "codec" : "codec and way", "size", "time us", "algbw", "busbw", "#wrong", "wire",
                   "wirebw", "ratio", "error"});
  for (const Reduction& row : set.rows)
    table.add({name_of(row, set), short_bytes(row.bytes), fixed(row.time_us, 1), fixed(row.algbw, 3),
               fixed(row.busbw, 3), row.wrong ? fixed(*row.wrong, 0) : "N/A", decimal_bytes(row.wire_bytes),
               fixed(row.wire_bw, 3), fixed(row.ratio, 2), fixed(row.error, 5)});
  return table;
}

Section reduction_section(const ReductionSet& set, Plots plots) {
  Section section{"All-reduce", verdict(set), conditions_text(set.conditions), reduction_table(set), {}, {}};
  if (!set.rows.empty() && one_way(set))
    section.title += detail::concat(": ", set.rows.front().algorithm, " over ", set.rows.front().transport);
  section.notes = {
      "algbw: uncompressed bytes over time; busbw = algbw * 2 (n - 1) / n, which with compression may pass the link's "
      "rate; wirebw: bytes really sent over time; GB/s are 1e9 bytes a second. ratio: what an uncompressed ring sends, "
      "over what was sent. error: relative L2 error of one step."};
  if (plots == Plots::with)
    section.plots = {
        draw(curves(set, "Bus bandwidth: what the trainer sees", [](const Reduction& row) { return row.busbw; })),
        draw(curves(set, "Wire bandwidth: what the link carries", [](const Reduction& row) { return row.wire_bw; }))};
  return section;
}

/// Three significant digits: vnmse spans many powers of ten.
std::string general(double value) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.3g", value);
  return buffer;
}
std::string optional_text(const std::optional<double>& value, int digits) {
  return value ? fixed(*value, digits) : "-";
}

std::string codec_plot(const CodecSet& set, const std::string& data) {
  constexpr double kCut = 3;  // a sparse codec reads next to nothing when it decodes: its bar would dwarf the others
  BarChart chart{"Speed on " + data + " data, over memcpy's in the same run (bars end at 3)",
                 {},
                 {},
                 "times",
                 BarChart::Mark{1, "memcpy"}};
  for (const CodecSpeed& row : set.rows) {
    if (row.data != data || !row.memcpy || *row.memcpy <= 0) continue;
    const auto bar = [&](const char* op, const std::optional<double>& speed) {
      if (!speed) return;
      const double times = *speed / *row.memcpy;
      chart.rows.push_back({row.codec + op, {std::min(times, kCut)}, fixed(times, 2)});
    };
    bar(" encode", row.encode);
    bar(" encode+ef", row.encode_ef);
    bar(" decode", row.decode);
  }
  return draw(chart);
}

Section codec_section(const CodecSet& set, Plots plots) {
  TextTable table({"codec", "data", "bits", "vnmse", "encode", "encode+ef", "decode", "memcpy"});
  std::vector<std::string> data;
  for (const CodecSpeed& row : set.rows) {
    table.add({row.codec, row.data, optional_text(row.bits, 3), row.vnmse ? general(*row.vnmse) : "-",
               optional_text(row.encode, 2), optional_text(row.encode_ef, 2), optional_text(row.decode, 2),
               optional_text(row.memcpy, 2)});
    if (std::find(data.begin(), data.end(), row.data) == data.end()) data.push_back(row.data);
  }
  Section section{"Codecs", "", conditions_text(set.conditions), std::move(table), {}, {}};
  section.notes = {
      "bits: an element, on the wire. vnmse: squared error over squared norm. Speeds: 1e9 uncompressed "
      "bytes a second; decode adds to what is there."};
  if (plots == Plots::with)
    for (const std::string& kind : data) section.plots.push_back(codec_plot(set, kind));
  return section;
}

}  // namespace

std::vector<Section> sections_of(const Results& results, Plots plots) {
  std::vector<Section> sections;
  for (const TrainingGroup& group : results.trainings) sections.push_back(training_section(group, plots));
  for (const ReductionSet& set : results.reductions) sections.push_back(reduction_section(set, plots));
  for (const CodecSet& set : results.codecs) sections.push_back(codec_section(set, plots));
  return sections;
}

}  // namespace tw::report
