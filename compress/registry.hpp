// The tables of everything that a spec can name: one row a codec, one row a memory. No self-registration, no globals
// that change: adding a codec adds its row in registry.cpp.
//
// What a row needs of a class C: `C::Params`, `C::kName`, `C::kSummary`, `static void declare(Params&, ParamVisitor&)`,
// a constructor from Params, and, where a declaration cannot say it all (one key excludes another), `static void
// check(Params&)`, which throws or completes them. A name alone is always a spec: every parameter has a default.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "compress/codec.hpp"
#include "compress/memory.hpp"
#include "compress/params_visitors.hpp"
#include "compress/spec.hpp"

namespace tw {

/// A row of a table of things (`Codec`, `Memory`) that terms of a spec make.
template <class Thing>
struct Row {
  std::string_view name;
  std::string_view summary;
  /// Throws UsageError that names the known keys and ranges.
  std::unique_ptr<Thing> (*make)(const SpecTerm& term);
  /// The same term with every parameter written out, in declared order.
  SpecTerm (*canonical)(const SpecTerm& term);
  std::vector<ParamDescription> (*describe)();
};
using CodecRow = Row<Codec>;
using MemoryRow = Row<Memory>;

std::span<const CodecRow> codec_table();
std::span<const MemoryRow> memory_table();

namespace detail {

template <class C>
void declare_erased(void* params, ParamVisitor& visitor) {
  C::declare(*static_cast<typename C::Params*>(params), visitor);
}

template <class C>
typename C::Params params_of(const SpecTerm& term) {
  typename C::Params params;
  read_params(term, &params, declare_erased<C>);
  if constexpr (requires { C::check(params); }) C::check(params);
  return params;
}

}  // namespace detail

/// The row of class C in the table of Things.
template <class Thing, class C>
constexpr Row<Thing> row_of() {
  return {
      C::kName, C::kSummary,
      [](const SpecTerm& term) -> std::unique_ptr<Thing> { return std::make_unique<C>(detail::params_of<C>(term)); },
      [](const SpecTerm& term) {
        auto params = detail::params_of<C>(term);
        return print_params(C::kName, &params, detail::declare_erased<C>);
      },
      [] {
        typename C::Params params;
        return describe_params(&params, detail::declare_erased<C>);
      }};
}

}  // namespace tw
