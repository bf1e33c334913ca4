#include <cstdio>
#include <cstdlib>
#include <map>
#include <sstream>
#include <string>

#include "collectives/transports/ucx/fabric.hpp"
#include "collectives/transports/ucx/settings.hpp"
#include "collectives/transports/ucx/status.hpp"
#include "collectives/transports/ucx/ucx.hpp"

namespace tw {
namespace {

// UCX's own description of a context; lines that end in " transport/device" name what it can use.
std::string description() {
  const ucx::Settings config = [] {
    ucx::Settings settings;
    TW_UCX(ucp_config_read(nullptr, nullptr, settings.out()));
    return settings;
  }();
  ucp_params_t params{};
  params.field_mask = UCP_PARAM_FIELD_FEATURES;
  params.features = UCP_FEATURE_AM;
  UniqueHandle<ucp_context_h, ucp_cleanup> context;
  TW_UCX(ucp_init(&params, config.get(), context.out()));
  char* text = nullptr;
  std::size_t bytes = 0;
  std::FILE* stream = open_memstream(&text, &bytes);
  TW_CHECK(stream != nullptr, SystemError, "open_memstream: out of memory");
  ucp_context_print_info(context.get(), stream);
  std::fclose(stream);
  std::string result(text, bytes);
  std::free(text);
  return result;
}

// Devices by transport.
std::map<std::string, std::string> transports() {
  std::map<std::string, std::string> found;
  std::istringstream lines(description());
  for (std::string line; std::getline(lines, line);) {
    const std::size_t begin = line.rfind(' ') + 1, slash = line.find('/', begin);
    if (line.find("resource") == std::string::npos || slash == std::string::npos) continue;
    std::string& devices = found[line.substr(begin, slash - begin)];
    devices += (devices.empty() ? "" : ", ") + line.substr(slash + 1);
  }
  return found;
}

}  // namespace

std::string ucx_summary() {
  std::string summary = "UCX " + ucx::ucx_version() + ":";
  try {
    const char* separator = " ";
    for (const auto& [transport, devices] : transports()) {
      summary += separator + transport + " (" + devices + ")";
      separator = "; ";
    }
  } catch (const Error& error) {
    summary += std::string(" ") + error.what();
  }
  return summary;
}

}  // namespace tw
