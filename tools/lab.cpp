#include "tools/lab.hpp"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <sstream>

#include "kernels/base/check.hpp"
#include "tools/process.hpp"

namespace tw {
namespace {

/// Beside this program, in the build tree as in the installed one.
std::string script_path() {
  const auto program = std::filesystem::read_symlink("/proc/self/exe");
  const auto path = program.parent_path().parent_path() / "libexec" / "tightwire" / "lab";
  TW_CHECK(std::filesystem::exists(path), SystemError, "the lab's script is missing: ", path.string());
  return path.string();
}

std::string without_newline(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

}  // namespace

Lab::Lab(std::uint32_t ranks, const std::string& rate) : rate_(rate) {
  const char* named = std::getenv("TW_LAB");
  name_ = named != nullptr ? named : "twlab" + std::to_string(getpid());
  const bool was_up = named != nullptr && run_process({{script_path(), "status"}, {{"TW_LAB", name_}}, {}}).code == 0;
  script({"up", std::to_string(ranks), rate});
  ours_ = !was_up;
  try {
    std::istringstream status(script({"status"}));
    std::string hosts;
    status >> hosts >> rate_ >> burst_;
    master_address_ = script({"address", "0"});
  } catch (...) {
    if (ours_) script({"down"});
    throw;
  }
}

Lab::~Lab() {
  if (!ours_) return;
  try {
    script({"down"});
  } catch (const Error&) {  // the next `lab up` under this name clears what is left
  }
}

std::vector<std::string> Lab::on_host(std::uint32_t rank) const {
  return {script_path(), "exec", std::to_string(rank)};
}

std::string Lab::script(std::vector<std::string> words) const {
  words.insert(words.begin(), script_path());
  const Finished finished = run_process({words, {{"TW_LAB", name_}}, {}});
  const std::string said = without_newline(finished.err);
  TW_CHECK(finished.code != 2, UsageError, said);
  TW_CHECK(finished.code == 0, SystemError, said);
  return without_newline(finished.out);
}

}  // namespace tw
