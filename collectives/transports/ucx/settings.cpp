#include "collectives/transports/ucx/settings.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "collectives/transports/ucx/status.hpp"

namespace tw::ucx {
namespace {

constexpr std::array<std::string_view, 10> kOneHost{"shm",  "sm",    "mm",  "posix", "sysv",
                                                    "self", "xpmem", "cma", "knem",  "cuda_ipc"};
constexpr std::array<std::string_view, 2> kDeviceCopies{"cuda_copy", "gdr_copy"};  // with cuda_ipc, they are "cuda"

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

// UCX_TLS for a path. UCX warns of names that it does not have; but where it was built without CUDA, these are ours.
void choose_transports(const Settings& config, const std::string& tls) {
  narrow(config, "TLS", tls);
  if (tls.find("cuda") != std::string::npos) narrow(config, "WARN_INVALID_CONFIG", "n");
}

template <std::size_t count>
bool contains(const std::array<std::string_view, count>& names, std::string_view transport) {
  if (transport.starts_with('\\')) transport.remove_prefix(1);
  return std::find(names.begin(), names.end(), transport) != names.end();
}

std::vector<std::string> names_in(const std::string& list) {
  std::vector<std::string> names;
  for (std::size_t begin = 0; begin <= list.size();) {
    const std::size_t end = std::min(list.find(',', begin), list.size());
    const std::string name = list.substr(begin, end - begin);
    if (name == "cuda")
      names.insert(names.end(), {"cuda_copy", "gdr_copy", "cuda_ipc"});
    else
      names.push_back(name);
    begin = end + 1;
  }
  return names;
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

std::string network_transports(const std::string& tls, Memory memory) {
  const std::string never = memory == Memory::cuda ? "shm,self,cuda_ipc" : "shm,self,cuda";
  if (tls == "all") return "^" + never;
  if (tls.starts_with('^')) return tls + "," + never;
  std::string kept;
  bool reaches_others = false;
  for (const std::string& name : names_in(tls)) {
    const bool copies = contains(kDeviceCopies, name);
    if (contains(kOneHost, name) || (copies && memory == Memory::host)) continue;
    kept += (kept.empty() ? "" : ",") + name;
    reaches_others |= !copies;
  }
  return reaches_others ? kept : "";
}

Settings settings_for(Path path, const std::string& interface, Memory memory) {
  Settings config;
  TW_UCX(ucp_config_read(nullptr, nullptr, config.out()));
  const std::string users = printed(config.get());
  const std::string tls = value_of(users, "TLS");
  if (path == Path::host) {
    if (tls == "all") choose_transports(config, memory == Memory::cuda ? "shm,cuda" : "shm");
    return config;
  }
  const std::string network = network_transports(tls, memory);
  TW_CHECK(!network.empty(), UsageError, "UCX_TLS=", tls,
           " leaves no way to ranks of other hosts; add a network transport, such as tcp, or unset it");
  choose_transports(config, network);
  if (!interface.empty() && value_of(users, "NET_DEVICES") == "all") narrow(config, "NET_DEVICES", interface);
  return config;
}

}  // namespace tw::ucx
