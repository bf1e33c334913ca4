#include <string>

#include "collectives/transports/ucx/fabric.hpp"
#include "collectives/transports/ucx/settings.hpp"
#include "collectives/transports/ucx/status.hpp"
#include "collectives/transports/ucx/ucx.hpp"
#include "kernels/cuda/device.hpp"

namespace tw {
namespace {

// As the user's settings have it.
ucx::ContextHandle users_context() {
  ucx::Settings config;
  TW_UCX(ucp_config_read(nullptr, nullptr, config.out()));
  ucp_params_t params{};
  params.field_mask = UCP_PARAM_FIELD_FEATURES;
  params.features = UCP_FEATURE_AM;
  ucx::ContextHandle context;
  TW_UCX(ucp_init(&params, config.get(), context.out()));
  return context;
}

}  // namespace

std::string ucx_device_memory() {
  const std::string staged = "staged through pinned memory (";
  try {
    const auto takes = [](ucx::Path path) {
      return ucx::reports_cuda(ucx::make_context(path, {}, ucx::Memory::cuda).get());
    };
    const bool inside = takes(ucx::Path::host), between = takes(ucx::Path::network);
    if (!inside && !between) return staged + "UCX reports no CUDA memory)";
    if (const std::string missing = cuda::unavailable(); !missing.empty()) return staged + missing + ")";
    if (inside && between) return "direct (UCX reports CUDA memory)";
    return std::string("direct ") + (inside ? "inside a host" : "between hosts") +
           ", staged in groups with other links (UCX reports no CUDA memory there)";
  } catch (const Error& error) {
    return staged + "whether UCX knows CUDA memory is not known: " + error.what() + ")";
  }
}

std::string ucx_summary() {
  std::string summary = "UCX " + ucx::ucx_version() + ":";
  try {
    const ucx::ContextHandle context = users_context();
    const char* separator = " ";
    for (const auto& [transport, devices] : ucx::devices_by_transport(context.get())) {
      summary += separator + transport + " (" + devices + ")";
      separator = "; ";
    }
  } catch (const Error& error) {
    summary += std::string(" ") + error.what();
  }
  return summary;
}

}  // namespace tw
