// `tightwire report F.json... -o out.html`.
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "bench/commands.hpp"
#include "bench/report/page.hpp"
#include "kernels/base/check.hpp"
#include "tools/context.hpp"
#include "tools/files.hpp"

namespace tw {
namespace {

using report::Plots;

std::string combined_json(const std::vector<std::string>& files, const std::vector<report::Section>& sections) {
  nlohmann::ordered_json json{{"kind", "report"}, {"schema_version", kSchemaVersion}, {"context", run_context({})}};
  json["verdicts"] = nlohmann::ordered_json::array();
  for (const report::Section& section : sections)
    if (!section.verdict.empty()) json["verdicts"].push_back(section.verdict);
  json["inputs"] = report::read_inputs(files);
  return json.dump(2) + "\n";
}

class ReportCommand final : public Command {
 public:
  void declare(Options& options) override {
    options.texts("files", files_, "JSON of tightwire-train --summary, bench all_reduce, bench codecs, or of a report");
    options.required();
    options.repeated("-o,--output", outputs_, "write .html, .md or .json; may be given several times");
    options.flag("--quiet", quiet_, "print nothing");
  }

  int run() override {
    for (const std::string& output : outputs_) check_extension(output);
    const report::Results results = report::read_results(files_);
    const auto sections = report::sections_of(results, Plots::without);
    if (!quiet_) std::cout << report::as_text(sections);
    for (const std::string& output : outputs_) {
      const auto extension = std::filesystem::path(output).extension();
      if (extension == ".html")
        write_text(output, report::as_html(report::sections_of(results, Plots::with)));
      else if (extension == ".md")
        write_text(output, report::as_markdown(sections));
      else
        write_text(output, combined_json(files_, sections));
    }
    return kExitOk;
  }

 private:
  static void check_extension(const std::string& output) {
    const auto extension = std::filesystem::path(output).extension();
    TW_CHECK(extension == ".html" || extension == ".md" || extension == ".json", UsageError, "-o ", output,
             ": reports are written as .html, .md or .json");
  }

  std::vector<std::string> files_, outputs_;
  bool quiet_ = false;
};

}  // namespace

std::unique_ptr<Command> make_report_command() { return std::make_unique<ReportCommand>(); }

}  // namespace tw
