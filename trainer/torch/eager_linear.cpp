#include "trainer/torch/eager_linear.hpp"

#include <torch/csrc/autograd/custom_function.h>
#include <torch/types.h>

namespace tw::trainer {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

// y from x, with the gradient of x only. Made before WeightGradient's node: torch runs the later of two ready nodes
// first, and a parameter's AccumulateGrad before either.
struct Product : torch::autograd::Function<Product> {
  static Variable forward(AutogradContext* context, const Variable& input, const Variable& weight,
                          const Variable& bias) {
    context->save_for_backward({weight});
    return torch::addmm(bias, input, weight.t());
  }
  static variable_list backward(AutogradContext* context, const variable_list& slope) {
    const bool wanted = context->needs_input_grad(0);
    return {wanted ? slope[0].mm(context->get_saved_variables()[0]) : Variable(), Variable(), Variable()};
  }
};

// y as it is, with the gradients of weight and bias; what comes from above goes on to the product unchanged.
struct WeightGradient : torch::autograd::Function<WeightGradient> {
  static Variable forward(AutogradContext* context, const Variable& output, const Variable& input, const Variable&,
                          const Variable&) {
    context->save_for_backward({input});
    return output;
  }
  static variable_list backward(AutogradContext* context, const variable_list& slope) {
    const Variable input = context->get_saved_variables()[0];
    return {slope[0], Variable(), slope[0].t().mm(input), slope[0].sum(0)};
  }
};

}  // namespace

EagerLinearImpl::EagerLinearImpl(std::int64_t inputs, std::int64_t outputs) : inputs_(inputs), outputs_(outputs) {
  reset();
}

void EagerLinearImpl::reset() {
  weight_ = register_parameter("weight", torch::empty({outputs_, inputs_}));
  bias_ = register_parameter("bias", torch::empty({outputs_}));
}

torch::Tensor EagerLinearImpl::forward(const torch::Tensor& input) {
  const torch::Tensor output = Product::apply(input, weight_.detach(), bias_.detach());
  return WeightGradient::apply(output, input.detach(), weight_, bias_);
}

}  // namespace tw::trainer
