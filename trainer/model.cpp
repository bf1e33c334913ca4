#include "trainer/model.hpp"

#include "kernels/base/check.hpp"
#include "kernels/base/philox.hpp"
#include "trainer/find_row.hpp"
#include "trainer/models/linear.hpp"
#include "trainer/torch/mlp.hpp"

namespace tw::trainer {
namespace {

template <class P>
void declare_erased(void* params, ParamVisitor& visitor) {
  P::declare(*static_cast<P*>(params), visitor);
}

template <class P>
P params_of(const SpecTerm& term) {
  P params;
  read_params(term, &params, declare_erased<P>);
  return params;
}

// The row of the model with parameters P that `Make` builds.
template <class P, std::unique_ptr<Model> (*Make)(const P&, const ModelShape&)>
constexpr ModelRow row_of() {
  return {P::kName, P::kSummary,
          [](const SpecTerm& term, const ModelShape& shape) { return Make(params_of<P>(term), shape); },
          [](const SpecTerm& term) {
            P params = params_of<P>(term);
            return print_params(P::kName, &params, declare_erased<P>);
          },
          [] {
            P params;
            return describe_params(&params, declare_erased<P>);
          }};
}

struct Choice {
  const ModelRow& row;
  SpecTerm term;
};

Choice choose(std::string_view spec) {
  std::vector<SpecTerm> terms = parse_spec(spec);
  TW_CHECK(terms.size() == 1, UsageError, "a model is one name with its parameters, not '", spec, "'");
  const ModelRow& row = find_row(model_table(), terms[0].name, "model");
  return {row, std::move(terms[0])};
}

}  // namespace

std::span<const ModelRow> model_table() {
  static constexpr ModelRow table[] = {
      row_of<MlpParams, make_mlp>(),
      row_of<LinearParams, make_linear>(),
  };
  return table;
}

std::unique_ptr<Model> make_model(std::string_view spec, const ModelShape& shape) {
  const Choice choice = choose(spec);
  return choice.row.make(choice.term, shape);
}

std::string canonical_model(std::string_view spec) {
  const Choice choice = choose(spec);
  return print_spec({choice.row.canonical(choice.term)});
}

void fill_uniform(std::span<float> values, float bound, std::uint64_t seed, std::uint32_t param) {
  const PhiloxKey key{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)};
  PhiloxCounter words{};
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i % 4 == 0) words = philox4x32({static_cast<std::uint32_t>(i / 4), 0, param, 'I'}, key);
    const float unit = static_cast<float>(words[i % 4] >> 8) * 0x1p-24f;  // [0, 1)
    values[i] = bound * (2.0f * unit - 1.0f);
  }
}

}  // namespace tw::trainer
