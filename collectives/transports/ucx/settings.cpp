#include "collectives/transports/ucx/settings.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "collectives/transports/ucx/status.hpp"

namespace tw::ucx {
namespace {

constexpr std::array<std::string_view, 8> kSharedMemory{"shm", "sm", "mm", "posix", "sysv", "xpmem", "cma", "knem"};

// Everything that UCX would use, as lines of NAME=value.
std::string printed(const ucp_config_t* config) {
  return printed_by([&](std::FILE* stream) { ucp_config_print(config, stream, nullptr, UCS_CONFIG_PRINT_CONFIG); });
}

// The value that UCX would use for `name`, as the user or its default gives it.
std::string value_of(const std::string& settings, const std::string& name) {
  const std::string key = "UCX_" + name + "=";
  const std::size_t line = settings.starts_with(key) ? 0 : settings.find("\n" + key) + 1;
  TW_CHECK(line != 0 || settings.starts_with(key), SystemError, "this UCX has no setting ", key);
  const std::size_t begin = line + key.size();
  return settings.substr(begin, settings.find('\n', begin) - begin);
}

void narrow(const Settings& config, const char* name, const std::string& value) {
  const ucs_status_t status = ucp_config_modify(config.get(), name, value.c_str());
  TW_CHECK(status == UCS_OK, SystemError, "UCX does not take ", name, "=", value, ": ", ucs_status_string(status));
}

bool is_shared_memory(std::string_view transport) {
  if (transport.starts_with('\\')) transport.remove_prefix(1);
  return std::find(kSharedMemory.begin(), kSharedMemory.end(), transport) != kSharedMemory.end();
}

}  // namespace

std::string printed_by(const std::function<void(std::FILE*)>& print) {
  char* text = nullptr;
  std::size_t bytes = 0;
  std::FILE* stream = open_memstream(&text, &bytes);
  TW_CHECK(stream != nullptr, SystemError, "open_memstream: out of memory");
  print(stream);
  std::fclose(stream);
  std::string result(text, bytes);
  std::free(text);
  return result;
}

std::string users_setting(const std::string& name) {
  Settings config;
  TW_UCX(ucp_config_read(nullptr, nullptr, config.out()));
  return value_of(printed(config.get()), name);
}

std::string without_shared_memory(const std::string& tls) {
  if (tls == "all") return "^shm,self";
  if (tls.starts_with('^')) return tls + ",shm,self";
  std::string kept;
  for (std::size_t begin = 0; begin <= tls.size();) {
    const std::size_t end = std::min(tls.find(',', begin), tls.size());
    const std::string name = tls.substr(begin, end - begin);
    if (!is_shared_memory(name) && name != "self") kept += (kept.empty() ? "" : ",") + name;
    begin = end + 1;
  }
  return kept;
}

Settings settings_for(Path path, const std::string& interface) {
  Settings config;
  TW_UCX(ucp_config_read(nullptr, nullptr, config.out()));
  const std::string users = printed(config.get());
  const std::string tls = value_of(users, "TLS");
  if (path == Path::host) {
    if (tls == "all") narrow(config, "TLS", "shm");
    return config;
  }
  const std::string network = without_shared_memory(tls);
  TW_CHECK(!network.empty(), UsageError, "UCX_TLS=", tls,
           " leaves no way to ranks of other hosts; add a network transport, such as tcp, or unset it");
  narrow(config, "TLS", network);
  if (!interface.empty() && value_of(users, "NET_DEVICES") == "all") narrow(config, "NET_DEVICES", interface);
  return config;
}

}  // namespace tw::ucx
