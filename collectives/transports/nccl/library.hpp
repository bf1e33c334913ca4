// Finds a libnccl at run time. It is never unloaded: NCCL has threads of its own.
#pragma once

#include <optional>
#include <string>

#include "collectives/transports/nccl/api.hpp"

namespace tw::nccl {

/// The oldest version that will do. Non-blocking communicators came with 2.14, but NVIDIA's notes say that groups of
/// unlike sends and receives, as ours are, could hang before 2.18.1.
inline constexpr int kOldestVersion = NCCL_VERSION(2, 18, 1);

/// A version code as NCCL writes it: 22809 is "2.28.9".
std::string version_text(int code);

/// What was found: an api, or the reason why there is none.
struct Library {
  std::optional<Api> api;
  int version = 0;
  std::string path;     ///< of the file that holds it
  std::string missing;  ///< empty where there is an api
};

/// The file `path`.
Library load_library(const std::string& path);

/// The NCCL that the process has already, be it linked or loaded by others, since two in one process do not get along;
/// otherwise the dynamic linker's libnccl.so.2. Looked for once; thread safe.
const Library& default_library();

}  // namespace tw::nccl
