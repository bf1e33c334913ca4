#include "compress/spec.hpp"

#include <cctype>

#include "kernels/base/check.hpp"

namespace tw {
namespace {

// A cursor over the text; every error shows where it stands.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  std::vector<SpecTerm> spec() {
    std::vector<SpecTerm> terms{term()};
    while (take('+')) terms.push_back(term());
    return terms;
  }

  void expect_end() {
    if (at_ != text_.size()) fail("nothing more, or '+', ',' or ':'");
  }

 private:
  SpecTerm term() {
    SpecTerm term;
    term.name = word("a name");
    if (!take(':')) return term;
    do {
      SpecTerm::Argument argument;
      argument.key = word("a key");
      if (!take('=')) fail("'=' after the key '" + argument.key + "'");
      argument.nested = peek() == '(';
      argument.value = argument.nested ? parenthesised() : atom();
      for (const auto& other : term.arguments)
        TW_CHECK(other.key != argument.key, UsageError, "spec '", text_, "': key '", argument.key, "' is given twice");
      term.arguments.push_back(std::move(argument));
    } while (take(','));
    return term;
  }

  std::string word(const char* what) {
    const std::size_t begin = at_;
    while (std::isalnum(static_cast<unsigned char>(peek())) || peek() == '_') ++at_;
    if (at_ == begin) fail(what);
    return std::string(text_.substr(begin, at_ - begin));
  }

  // Anything up to what ends a value.
  std::string atom() {
    const std::size_t begin = at_;
    while (peek() != '\0' && peek() != ',' && peek() != '+' && peek() != '(' && peek() != ')' && peek() != ':' &&
           peek() != '=')
      ++at_;
    if (at_ == begin) fail("a value");
    return std::string(text_.substr(begin, at_ - begin));
  }

  std::string parenthesised() {
    take('(');
    const std::size_t begin = at_;
    spec();
    const std::size_t end = at_;
    if (!take(')')) fail("')'");
    return std::string(text_.substr(begin, end - begin));
  }

  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool take(char c) {
    if (peek() != c) return false;
    ++at_;
    return true;
  }
  [[noreturn]] void fail(const std::string& expected) const {
    TW_FAIL(UsageError, "spec '", text_, "': expected ", expected, " at character ", at_ + 1,
            at_ < text_.size() ? detail::concat(", found '", text_.substr(at_), "'") : ", found its end");
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

std::vector<SpecTerm> parse_spec(std::string_view text) {
  Parser parser(text);
  auto terms = parser.spec();
  parser.expect_end();
  return terms;
}

std::string print_spec(const std::vector<SpecTerm>& terms) {
  std::string text;
  for (const SpecTerm& term : terms) {
    text += (text.empty() ? "" : "+") + term.name;
    char separator = ':';
    for (const auto& argument : term.arguments) {
      text += separator + argument.key + '=' + (argument.nested ? '(' + argument.value + ')' : argument.value);
      separator = ',';
    }
  }
  return text;
}

}  // namespace tw
