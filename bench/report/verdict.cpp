#include "bench/report/verdict.hpp"

#include <algorithm>

#include "bench/sizes.hpp"
#include "bench/table.hpp"
#include "kernels/base/check.hpp"

namespace tw::report {
namespace {

std::string milliseconds(double seconds) { return fixed(seconds * 1e3, seconds < 0.1 ? 1 : 0) + " ms"; }
std::string times(double factor) { return fixed(factor, factor < 10 ? 2 : 1) + " times"; }
double points(const Training& run, const Training& than) { return 100 * (run.accuracy - than.accuracy); }

/// Speed at the price of accuracy is told, but does not pay.
bool keeps_accuracy(const Training& run, const Training& dense) { return points(run, dense) >= -kAccuracyPoints; }

std::string where(const TrainingGroup& group) {
  const Conditions& conditions = group.runs.front().conditions;
  return detail::concat("On this link (", conditions.link_text(), ", ", conditions.ranks, " ranks) ");
}

/// Compressed runs, fastest first.
std::vector<const Training*> candidates(const TrainingGroup& group) {
  std::vector<const Training*> runs;
  for (const Training& run : group.runs)
    if (run.exchange && !run.dense()) runs.push_back(&run);
  std::stable_sort(runs.begin(), runs.end(),
                   [](const Training* a, const Training* b) { return a->median < b->median; });
  return runs;
}

std::string gain_text(const Training& run, const TrainingGroup& group) {
  std::string text = times(group.dense()->median / run.median) + " as fast as dense";
  const Training* bf16 = group.bf16();
  if (bf16 != nullptr && bf16 != &run) text.append(" and ").append(times(bf16->median / run.median)).append(" as bf16");
  return text;
}

std::string accuracy_text(const Training& run, const Training& dense) {
  const double change = points(run, dense);
  const std::string size = fixed(std::abs(change), 1);
  if (size == "0.0") return "the test accuracy of dense";
  return detail::concat("test accuracy ", size, change < 0 ? " points below" : " points above", " dense after ",
                        run.steps, " steps");
}

std::string floor_text(const Training& best, const TrainingGroup& group) {
  const Training* alone = group.alone();
  if (alone == nullptr) return "";
  const double rest = best.median - alone->median;
  if (rest < kNoise * alone->median) return " That is as fast as a step without any exchange.";
  return detail::concat(" A step without any exchange takes ", milliseconds(alone->median), ": ", milliseconds(rest),
                        " of the exchange are left.");
}

std::string nothing_pays(const TrainingGroup& group, const Training& next) {
  const Training& dense = *group.dense();
  return detail::concat(where(group), "nothing pays: dense takes ", milliseconds(dense.median),
                        " a step, and the fastest codec, ", next.label(), ", ", milliseconds(next.median), ".",
                        floor_text(dense, group));
}

std::string accuracy_warning(const Training& best, const TrainingGroup& group) {
  const Training& dense = *group.dense();
  if (keeps_accuracy(best, dense)) return "";
  for (const Training* run : candidates(group))
    if (keeps_accuracy(*run, dense) && run->median < (1 - kNoise) * dense.median)
      return detail::concat(" Of those within ", fixed(kAccuracyPoints, 0), " point of dense, ", run->label(),
                            " pays most: ", milliseconds(run->median), " a step, ", gain_text(*run, group), ", ",
                            accuracy_text(*run, dense), ".");
  return detail::concat(" No faster codec stays within ", fixed(kAccuracyPoints, 0),
                        " point of dense: for as many steps none pays.");
}

}  // namespace

std::string verdict(const TrainingGroup& group) {
  const auto runs = candidates(group);
  if (group.dense() == nullptr) return "Without a dense run (codec identity) there is nothing to compare with.";
  if (runs.empty()) return "No codec was tried.";
  const Training &best = *runs.front(), &dense = *group.dense();
  if (best.median > (1 - kNoise) * dense.median) return nothing_pays(group, best);
  std::string text = where(group);
  const Training* bf16 = group.bf16();
  if (bf16 != nullptr && bf16->median <= best.median / (1 - kNoise))
    text += detail::concat("bf16 is all it takes: ", milliseconds(bf16->median), " a step, ", gain_text(*bf16, group),
                           ", ", accuracy_text(*bf16, dense), "; no other codec is faster by more than ",
                           fixed(100 * kNoise, 0), " %.", floor_text(*bf16, group));
  else
    text += detail::concat(best.label(), keeps_accuracy(best, dense) ? " pays most: " : " is the fastest: ",
                           milliseconds(best.median), " a step, ", gain_text(best, group), ", ",
                           accuracy_text(best, dense), ".", floor_text(best, group), accuracy_warning(best, group));
  return text;
}

std::string verdict(const ReductionSet& set) {
  const Reduction *best = nullptr, *dense = nullptr;
  double largest = 0;
  for (const Reduction& row : set.rows) largest = std::max(largest, row.bytes);
  for (const Reduction& row : set.rows) {
    if (row.bytes != largest) continue;
    if (row.codec == "identity")
      dense = dense != nullptr && dense->time_us < row.time_us ? dense : &row;
    else if (best == nullptr || row.time_us < best->time_us)
      best = &row;
  }
  if (dense == nullptr || best == nullptr) return "";
  const std::string size = short_bytes(largest) + "iB";
  if (best->time_us > (1 - kNoise) * dense->time_us)
    return detail::concat("At ", size, " no codec is faster than sending f32 as it is (",
                          fixed(dense->time_us / 1e3, 2), " ms; ", best->codec, " takes ",
                          fixed(best->time_us / 1e3, 2), " ms).");
  return detail::concat("At ", size, " ", best->codec, " is the fastest: ", fixed(best->time_us / 1e3, 2), " ms, ",
                        times(dense->time_us / best->time_us), " as fast as f32 as it is, relative error ",
                        fixed(best->error, 4), ".");
}

}  // namespace tw::report
