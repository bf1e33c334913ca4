#include "collectives/transports/ucx/host.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <string>

#include "kernels/base/check.hpp"

namespace tw::ucx {
namespace {

std::uint64_t namespace_id(const char* path) {
  struct stat status;
  TW_CHECK(stat(path, &status) == 0, SystemError, path, ": ", std::strerror(errno));
  return status.st_ino;
}

}  // namespace

HostIdentity this_host() {
  HostIdentity host;
  const char* path = "/proc/sys/kernel/random/boot_id";
  std::ifstream file(path);
  file.getline(host.boot_id.data(), static_cast<std::streamsize>(host.boot_id.size()));
  TW_CHECK(!file.fail() && host.boot_id[0] != '\0', SystemError, "cannot read ", path);
  host.network_namespace = namespace_id("/proc/self/ns/net");
  host.ipc_namespace = namespace_id("/proc/self/ns/ipc");
  host.pid_namespace = namespace_id("/proc/self/ns/pid");
  return host;
}

bool is_stopped(std::int64_t process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/stat");  // "1234 (any name) T ..."
  std::string line;
  std::getline(file, line);
  const std::size_t state = line.rfind(") ");
  return state != std::string::npos && state + 2 < line.size() && (line[state + 2] == 'T' || line[state + 2] == 't');
}

}  // namespace tw::ucx
