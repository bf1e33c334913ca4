// The command line's machinery: CLI11 behind `Options` and `command_table()`. The only source that includes CLI11.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <map>

#include "bench/command.hpp"
#include "bench/sizes.hpp"
#include "kernels/base/check.hpp"
#include "tools/build.hpp"

namespace tw {
namespace {

class CliOptions final : public Options {
 public:
  explicit CliOptions(CLI::App& app) : app_(app) {}

  void flag(std::string_view names, bool& value, std::string_view help) override {
    last_ = app_.add_flag(std::string(names), value, std::string(help));
  }
  void text(std::string_view names, std::string& value, std::string_view help) override {
    last_ = app_.add_option(std::string(names), value, std::string(help));
    if (!value.empty()) last_->capture_default_str();
  }
  void texts(std::string_view names, std::vector<std::string>& values, std::string_view help) override {
    last_ = app_.add_option(std::string(names), values, std::string(help));
    if (!values.empty()) last_->capture_default_str();
  }
  void repeated(std::string_view names, std::vector<std::string>& values, std::string_view help) override {
    last_ = app_.add_option(std::string(names), values, std::string(help))->allow_extra_args(false);
  }
  void integer(std::string_view names, std::uint64_t& value, OptionRange range, std::string_view help) override {
    last_ = app_.add_option(std::string(names), value, std::string(help));
    if (value >= range.low) last_->capture_default_str();
    if (range.low != 0 || range.high != UINT64_MAX) last_->check(CLI::Range(range.low, range.high));
  }
  void real(std::string_view names, double& value, std::string_view help) override {
    last_ = app_.add_option(std::string(names), value, std::string(help))->capture_default_str();
  }
  void bytes(std::string_view names, std::uint64_t& value, std::string_view help) override {
    const auto read = [&value](const std::string& text) { value = parse_bytes(text); };
    last_ = app_.add_option_function<std::string>(std::string(names), read, std::string(help));
    last_->type_name("BYTES")->default_str(short_bytes(static_cast<double>(value)));
  }
  void rest(std::string_view name, std::vector<std::string>& words, std::string_view help) override {
    rest_ = &words;
    app_.footer("After --:\n  " + std::string(name) + "  " + std::string(help));
  }
  void required() override { last_->required(); }

  std::vector<std::string>* rest_words() const { return rest_; }

 private:
  CLI::App& app_;
  CLI::Option* last_ = nullptr;
  std::vector<std::string>* rest_ = nullptr;
};

/// The rows as CLI11 subcommands; "bench codecs" becomes a subcommand of a group "bench".
class CommandLine {
 public:
  explicit CommandLine(std::span<const CommandRow> table)
      : app_("Compressed gradient exchange, measured.", "tightwire") {
    app_.require_subcommand(1);
    app_.set_version_flag("--version", "tightwire " + build().version + " (" + build().revision + ")");
    for (const CommandRow& row : table) add(row);
  }

  int run(std::vector<std::string> words) {
    const auto dashes = std::find(words.begin(), words.end(), "--");
    const bool has_rest = dashes != words.end();
    std::vector<std::string> rest(has_rest ? dashes + 1 : dashes, words.end());
    words.erase(dashes, words.end());
    refuse_unknown(words);
    std::reverse(words.begin(), words.end());  // CLI11 takes the words last first
    app_.parse(words);
    for (Entry& entry : entries_)
      if (entry.app->parsed()) return run(entry, has_rest, std::move(rest));
    return kExitUsage;  // not reached: a subcommand is required
  }

  /// "tightwire bench codecs", as far as it was recognised.
  std::string spoken() const {
    std::string text = "tightwire";
    for (const CLI::App* app = &app_; !app->get_subcommands().empty();) {
      app = app->get_subcommands().front();
      text += " " + app->get_name();
    }
    return text;
  }
  CLI::App& app() { return app_; }

 private:
  struct Entry {
    CLI::App* app;
    std::unique_ptr<Command> command;
    std::unique_ptr<CliOptions> options;
  };

  void add(const CommandRow& row) {
    CLI::App* parent = &app_;
    std::string_view name = row.name;
    if (const auto space = name.find(' '); space != std::string_view::npos) {
      parent = group(std::string(name.substr(0, space)));
      name.remove_prefix(space + 1);
    }
    Entry entry{parent->add_subcommand(std::string(name), std::string(row.summary)), row.make(), nullptr};
    entry.options = std::make_unique<CliOptions>(*entry.app);
    entry.command->declare(*entry.options);
    entries_.push_back(std::move(entry));
  }

  /// CLI11 would say only that a subcommand is required.
  void refuse_unknown(const std::vector<std::string>& words) {
    CLI::App* app = &app_;
    for (const std::string& word : words) {
      const auto children = app->get_subcommands([](CLI::App*) { return true; });
      if (children.empty() || word.starts_with('-')) return;
      std::string known;
      CLI::App* next = nullptr;
      for (CLI::App* child : children) {
        known.append(known.empty() ? "" : ", ").append(child->get_name());
        if (child->get_name() == word) next = child;
      }
      TW_CHECK(next != nullptr, UsageError, "unknown subcommand '", word, "'; known: ", known);
      app = next;
    }
  }

  CLI::App* group(const std::string& name) {
    CLI::App*& group = groups_[name];
    if (group == nullptr) {
      group = app_.add_subcommand(name, "measurements");
      group->require_subcommand(1);
    }
    return group;
  }

  static int run(Entry& entry, bool has_rest, std::vector<std::string> rest) {
    if (std::vector<std::string>* words = entry.options->rest_words())
      *words = std::move(rest);
    else
      TW_CHECK(!has_rest, UsageError, "takes nothing after '--'");
    return entry.command->run();
  }

  CLI::App app_;
  std::map<std::string, CLI::App*> groups_;
  std::vector<Entry> entries_;
};

int complain(const CommandLine& line, std::string message, int code) {
  std::replace(message.begin(), message.end(), '\n', ' ');
  std::cerr << line.spoken() << ": " << message;
  if (code == kExitUsage) std::cerr << " (see " << line.spoken() << " --help)";
  std::cerr << '\n';
  return code;
}

}  // namespace

int run_command_line(int argc, const char* const* argv, std::span<const CommandRow> table) {
  CommandLine line(table);
  try {
    return line.run(std::vector<std::string>(argv + 1, argv + argc));
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return line.app().exit(error);  // --help, --version
    return complain(line, error.what(), kExitUsage);
  } catch (const UsageError& error) {
    return complain(line, error.what(), kExitUsage);
  } catch (const std::exception& error) {
    return complain(line, error.what(), kExitFailed);
  }
}

}  // namespace tw
