#include "compress/params_visitors.hpp"

#include <algorithm>
#include <charconv>
#include <sstream>

#include "kernels/base/check.hpp"

namespace tw {
namespace {

std::string text_of(double value) {
  char buffer[32];  // the shortest text that reads back to the same value
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  return std::string(buffer, end);
}

std::string text_of(IntegerRange range) { return detail::concat(range.low, " to ", range.high); }
std::string text_of(RealRange range) {
  return detail::concat("above ", text_of(range.above), ", up to ", text_of(range.high));
}
std::string text_of(std::span<const std::string_view> names) {
  std::string text;
  for (const std::string_view name : names) text += (text.empty() ? "" : " | ") + std::string(name);
  return text;
}

template <class Number>
std::optional<Number> number_of(const std::string& text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

class ReadVisitor final : public ParamVisitor {
 public:
  explicit ReadVisitor(const SpecTerm& term) : term_(term) {}

  void integer(std::string_view key, std::uint64_t& value, IntegerRange range, std::string_view) override {
    if (const auto read = read_integer(key, range)) value = *read;
  }
  void real(std::string_view key, double& value, RealRange range, std::string_view) override {
    if (const auto read = read_real(key, range)) value = *read;
  }
  void optional_integer(std::string_view key, std::optional<std::uint64_t>& value, IntegerRange range,
                        std::string_view) override {
    value = read_integer(key, range);
  }
  void optional_real(std::string_view key, std::optional<double>& value, RealRange range, std::string_view) override {
    value = read_real(key, range);
  }
  void choice(std::string_view key, std::uint32_t& value, std::span<const std::string_view> names,
              std::string_view) override {
    const auto* text = find(key, text_of(names));
    if (text == nullptr) return;
    const auto name = std::find(names.begin(), names.end(), *text);
    if (name == names.end()) refuse(key, *text, text_of(names));
    value = static_cast<std::uint32_t>(name - names.begin());
  }

  void refuse_unknown_keys() const {
    for (const auto& argument : term_.arguments)
      TW_CHECK(std::find(keys_.begin(), keys_.end(), argument.key) != keys_.end(), UsageError, "'", term_.name,
               "' has no key '", argument.key, "'; ", known_.empty() ? "it takes none" : "known: " + known_);
  }

 private:
  const std::string* find(std::string_view key, const std::string& range) {
    keys_.emplace_back(key);
    known_ += detail::concat(known_.empty() ? "" : ", ", key, " (", range, ")");
    for (const auto& argument : term_.arguments)
      if (argument.key == key) return &argument.value;
    return nullptr;
  }
  std::optional<std::uint64_t> read_integer(std::string_view key, IntegerRange range) {
    const auto* text = find(key, text_of(range));
    if (text == nullptr) return std::nullopt;
    const auto value = number_of<std::uint64_t>(*text);
    if (!value || *value < range.low || *value > range.high) refuse(key, *text, "an integer, " + text_of(range));
    return value;
  }
  std::optional<double> read_real(std::string_view key, RealRange range) {
    const auto* text = find(key, text_of(range));
    if (text == nullptr) return std::nullopt;
    const auto value = number_of<double>(*text);
    if (!value || !(*value > range.above && *value <= range.high)) refuse(key, *text, "a number " + text_of(range));
    return value;
  }
  [[noreturn]] void refuse(std::string_view key, const std::string& text, const std::string& expected) const {
    TW_FAIL(UsageError, "'", term_.name, "': ", key, "=", text, " is not allowed; ", key, " is ", expected);
  }

  const SpecTerm& term_;
  std::vector<std::string> keys_;
  std::string known_;
};

class PrintVisitor final : public ParamVisitor {
 public:
  explicit PrintVisitor(std::string_view name) { term_.name = name; }
  SpecTerm term() && { return std::move(term_); }

  void integer(std::string_view key, std::uint64_t& value, IntegerRange, std::string_view) override {
    add(key, std::to_string(value));
  }
  void real(std::string_view key, double& value, RealRange, std::string_view) override { add(key, text_of(value)); }
  void optional_integer(std::string_view key, std::optional<std::uint64_t>& value, IntegerRange,
                        std::string_view) override {
    if (value) add(key, std::to_string(*value));
  }
  void optional_real(std::string_view key, std::optional<double>& value, RealRange, std::string_view) override {
    if (value) add(key, text_of(*value));
  }
  void choice(std::string_view key, std::uint32_t& value, std::span<const std::string_view> names,
              std::string_view) override {
    add(key, std::string(names[value]));
  }

 private:
  void add(std::string_view key, std::string value) {
    term_.arguments.push_back({std::string(key), std::move(value), false});
  }
  SpecTerm term_;
};

class DescribeVisitor final : public ParamVisitor {
 public:
  std::vector<ParamDescription> rows() && { return std::move(rows_); }

  void integer(std::string_view key, std::uint64_t& value, IntegerRange range, std::string_view help) override {
    add(key, text_of(range), std::to_string(value), help);
  }
  void real(std::string_view key, double& value, RealRange range, std::string_view help) override {
    add(key, text_of(range), text_of(value), help);
  }
  void optional_integer(std::string_view key, std::optional<std::uint64_t>& value, IntegerRange range,
                        std::string_view help) override {
    add(key, text_of(range), value ? std::to_string(*value) : "", help);
  }
  void optional_real(std::string_view key, std::optional<double>& value, RealRange range,
                     std::string_view help) override {
    add(key, text_of(range), value ? text_of(*value) : "", help);
  }
  void choice(std::string_view key, std::uint32_t& value, std::span<const std::string_view> names,
              std::string_view help) override {
    add(key, text_of(names), std::string(names[value]), help);
  }

 private:
  void add(std::string_view key, std::string range, std::string value, std::string_view help) {
    rows_.push_back({std::string(key), std::move(range), std::move(value), std::string(help)});
  }
  std::vector<ParamDescription> rows_;
};

}  // namespace

void read_params(const SpecTerm& term, void* params, Declaration declare) {
  ReadVisitor visitor(term);
  declare(params, visitor);
  visitor.refuse_unknown_keys();
}

SpecTerm print_params(std::string_view name, void* params, Declaration declare) {
  PrintVisitor visitor(name);
  declare(params, visitor);
  return std::move(visitor).term();
}

std::vector<ParamDescription> describe_params(void* params, Declaration declare) {
  DescribeVisitor visitor;
  declare(params, visitor);
  return std::move(visitor).rows();
}

}  // namespace tw
