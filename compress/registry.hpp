// The tables of everything that a spec can name: one row a codec, one row a memory. No self-registration, no globals
// that change: adding a codec adds its row in registry.cpp.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "compress/codec.hpp"
#include "compress/memory.hpp"
#include "compress/params.hpp"
#include "compress/spec.hpp"

namespace tw {

/// A row of the codec table. `make` checks the term's arguments and throws UsageError that names the known keys.
struct CodecRow {
  std::string_view name;
  std::string_view summary;
  std::unique_ptr<Codec> (*make)(const SpecTerm& term);
  SpecTerm (*canonical)(const SpecTerm& term);      ///< all parameters written out, in declared order
  void (*declare_defaults)(ParamVisitor& visitor);  ///< visits the parameters at their defaults, for help and `info`
};

struct MemoryRow {
  std::string_view name;
  std::string_view summary;
  std::unique_ptr<Memory> (*make)(const SpecTerm& term);
  SpecTerm (*canonical)(const SpecTerm& term);
  void (*declare_defaults)(ParamVisitor& visitor);
};

std::span<const CodecRow> codec_table();
std::span<const MemoryRow> memory_table();

}  // namespace tw
