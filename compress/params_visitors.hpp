// What can be done with declared parameters: read them from a spec's term, print them in full, describe them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "compress/params.hpp"
#include "compress/spec.hpp"

namespace tw {

/// A function that visits the declared parameters of one thing.
using Declaration = void (*)(void* params, ParamVisitor& visitor);

/// Reads `term`'s arguments into `params`. Throws UsageError for a key that is not declared (the known ones are listed
/// with their ranges) and for a value out of range.
void read_params(const SpecTerm& term, void* params, Declaration declare);

/// `name` with every parameter that has a value written out, in declared order.
SpecTerm print_params(std::string_view name, void* params, Declaration declare);

/// One declared parameter, for people.
struct ParamDescription {
  std::string key;
  std::string range;          ///< "32 to 1048576", "above 0, up to 1", "max | l2"
  std::string default_value;  ///< empty if it may be left out
  std::string help;
};
std::vector<ParamDescription> describe_params(void* params, Declaration declare);

}  // namespace tw
