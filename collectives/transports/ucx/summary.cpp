#include <string>

#include "collectives/transports/ucx/fabric.hpp"
#include "collectives/transports/ucx/settings.hpp"
#include "collectives/transports/ucx/status.hpp"
#include "collectives/transports/ucx/ucx.hpp"

namespace tw {

std::string ucx_summary() {
  std::string summary = "UCX " + ucx::ucx_version() + ":";
  try {
    ucx::Settings config;
    TW_UCX(ucp_config_read(nullptr, nullptr, config.out()));
    ucp_params_t params{};
    params.field_mask = UCP_PARAM_FIELD_FEATURES;
    params.features = UCP_FEATURE_AM;
    UniqueHandle<ucp_context_h, ucp_cleanup> context;
    TW_UCX(ucp_init(&params, config.get(), context.out()));
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
