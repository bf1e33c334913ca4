#include <string>

#include "collectives/transports/ucx/fabric.hpp"
#include "collectives/transports/ucx/settings.hpp"
#include "collectives/transports/ucx/status.hpp"
#include "collectives/transports/ucx/ucx.hpp"

namespace tw {
namespace {

using Context = UniqueHandle<ucp_context_h, ucp_cleanup>;

// As the user's settings have it.
Context make_context() {
  ucx::Settings config;
  TW_UCX(ucp_config_read(nullptr, nullptr, config.out()));
  ucp_params_t params{};
  params.field_mask = UCP_PARAM_FIELD_FEATURES;
  params.features = UCP_FEATURE_AM;
  Context context;
  TW_UCX(ucp_init(&params, config.get(), context.out()));
  return context;
}

}  // namespace

// Messages in device memory are not built for UCX: what it reports is for whoever would build them.
std::string ucx_device_memory() {
  const std::string staged = "staged through pinned memory; UCX ";
  try {
    const Context context = make_context();
    ucp_context_attr_t attributes{};
    attributes.field_mask = UCP_ATTR_FIELD_MEMORY_TYPES;
    TW_UCX(ucp_context_query(context.get(), &attributes));
    const bool cuda = (attributes.memory_types & UCS_BIT(UCS_MEMORY_TYPE_CUDA)) != 0;
    return staged + (cuda ? "reports CUDA memory, of which nothing is made use" : "reports no CUDA memory");
  } catch (const Error& error) {
    return staged + "does not say whether it knows CUDA memory: " + error.what();
  }
}

std::string ucx_summary() {
  std::string summary = "UCX " + ucx::ucx_version() + ":";
  try {
    const Context context = make_context();
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
