// linear: softmax regression, logits = W x + b, with its gradient written out in plain loops. It needs no libtorch, so
// the whole training loop can run under sanitizers, and its 7850 parameters train in a blink. For a device it is
// mirrored there (mirrored.hpp): computed on the host, exchanged on the device.
#pragma once

#include "trainer/model.hpp"

namespace tw::trainer {

struct LinearParams {
  static constexpr std::string_view kName = "linear";
  static constexpr std::string_view kSummary = "softmax regression, features x classes; needs no libtorch";
  static void declare(LinearParams&, ParamVisitor&) {}
};

/// Parameters "weight" (classes x features) and "bias".
std::unique_ptr<Model> make_linear(const LinearParams& params, const ModelShape& shape);

}  // namespace tw::trainer
