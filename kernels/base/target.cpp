#include "kernels/base/target.hpp"

#include <hwy/highway.h>

#include "kernels/base/check.hpp"

namespace tw {
namespace {

// Asked once, before a choice narrows the answer.
const std::vector<std::int64_t>& all_targets() {
  static const std::vector<std::int64_t> targets = hwy::SupportedAndGeneratedTargets();
  return targets;
}

void choose(std::int64_t targets) {
  hwy::SetSupportedTargetsForTest(targets);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text.append(text.empty() ? "" : ", ").append(name);
  return text;
}

}  // namespace

std::string simd_target() {
  if (!hwy::GetChosenTarget().IsInitialized()) hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  const std::size_t index = hwy::GetChosenTarget().GetIndex();
  for (const std::int64_t target : all_targets()) {
    hwy::ChosenTarget alone;
    alone.Update(target);
    if (alone.GetIndex() == index) return hwy::TargetName(target);
  }
  return hwy::TargetName(HWY_STATIC_TARGET);
}

std::vector<std::string> simd_targets() {
  std::vector<std::string> names;
  for (const std::int64_t target : all_targets()) names.emplace_back(hwy::TargetName(target));
  return names;
}

void use_simd_target(std::string_view name) {
  if (name.empty()) return choose(0);
  for (const std::int64_t target : all_targets())
    if (name == hwy::TargetName(target)) return choose(target);
  TW_FAIL(UsageError, "no SIMD target '", name, "' here; there are ", joined(simd_targets()));
}

}  // namespace tw
