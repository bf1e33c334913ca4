// The grammar of specs, and nothing of what the names mean:
//
//   spec  := term ('+' term)*            int8:block=256+ef
//   term  := name [':' key '=' value (',' key '=' value)*]
//   value := atom | '(' spec ')'         topk:ratio=0.01,values=(int8)+ef
//
// Which terms are codecs, stages or memories is decided by the registry.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tw {

/// One `name:key=value,...`. A value that was parenthesised is kept without its parentheses, with `nested` true.
struct SpecTerm {
  struct Argument {
    std::string key;
    std::string value;
    bool nested = false;
  };
  std::string name;
  std::vector<Argument> arguments;
};

/// The terms of a spec in order; at least one. Throws UsageError that shows where the text stops making sense.
std::vector<SpecTerm> parse_spec(std::string_view text);

/// The text that parses to `terms`, without spaces.
std::string print_spec(const std::vector<SpecTerm>& terms);

}  // namespace tw
