#include "collectives/transports/nccl/library.hpp"

#include <dlfcn.h>

#include "kernels/base/check.hpp"

namespace tw::nccl {
namespace {

constexpr const char* kName = "libnccl.so.2";

// Fills in an Api from one handle and keeps what it did not find.
class Symbols {
 public:
  explicit Symbols(void* handle) : handle_(handle) {}

  template <class Function>
  void find(Function& function, const char* name) {
    function = reinterpret_cast<Function>(dlsym(handle_, name));
    if (function == nullptr) missing_ += (missing_.empty() ? "" : ", ") + std::string(name);
  }
  const std::string& missing() const { return missing_; }

 private:
  void* handle_;
  std::string missing_;
};

std::string find_all(void* handle, Api& api) {
  Symbols symbols(handle);
  symbols.find(api.get_version, "ncclGetVersion");
  symbols.find(api.get_unique_id, "ncclGetUniqueId");
  symbols.find(api.comm_init_rank_config, "ncclCommInitRankConfig");
  symbols.find(api.comm_finalize, "ncclCommFinalize");
  symbols.find(api.comm_destroy, "ncclCommDestroy");
  symbols.find(api.comm_abort, "ncclCommAbort");
  symbols.find(api.comm_get_async_error, "ncclCommGetAsyncError");
  symbols.find(api.get_error_string, "ncclGetErrorString");
  symbols.find(api.get_last_error, "ncclGetLastError");
  symbols.find(api.group_start, "ncclGroupStart");
  symbols.find(api.group_end, "ncclGroupEnd");
  symbols.find(api.send, "ncclSend");
  symbols.find(api.recv, "ncclRecv");
  symbols.find(api.all_reduce, "ncclAllReduce");
  return symbols.missing();
}

std::string file_of(void* function, const std::string& otherwise) {
  Dl_info info;
  return dladdr(function, &info) != 0 && info.dli_fname != nullptr ? info.dli_fname : otherwise;
}

// What `handle` holds; `name` is for errors.
Library examine(void* handle, const std::string& name) {
  Library library;
  library.path = name;
  Api api;
  const std::string absent = find_all(handle, api);
  if (api.get_version != nullptr) {
    library.path = file_of(reinterpret_cast<void*>(api.get_version), name);
    api.get_version(&library.version);
  }
  if (library.version != 0 && library.version < kOldestVersion)
    library.missing = detail::concat(library.path, " is NCCL ", version_text(library.version), "; at least ",
                                     version_text(kOldestVersion), " is needed");
  else if (!absent.empty())
    library.missing = library.path + " lacks " + absent;
  else
    library.api = api;
  return library;
}

Library find_default() {
  if (void* loaded = dlopen(kName, RTLD_LAZY | RTLD_LOCAL | RTLD_NOLOAD)) return examine(loaded, kName);
  if (dlsym(RTLD_DEFAULT, "ncclGetVersion") != nullptr) return examine(RTLD_DEFAULT, "the program itself");
  Library library = load_library(kName);
  if (library.version == 0)
    library.missing += "; install NCCL, or say where it is: nccl:library=PATH (Python's wheel: nvidia/nccl/lib)";
  return library;
}

}  // namespace

// Before 2.9 the thousands were the major version.
std::string version_text(int code) {
  const int unit = code < 10000 ? 1000 : 10000;
  return detail::concat(code / unit, ".", code % unit / 100, ".", code % 100);
}

Library load_library(const std::string& path) {
  if (void* handle = dlopen(path.c_str(), RTLD_LAZY | RTLD_LOCAL)) return examine(handle, path);
  const char* reason = dlerror();
  Library library;
  library.path = path;
  library.missing = detail::concat("no NCCL library: ", reason == nullptr ? path.c_str() : reason);
  return library;
}

const Library& default_library() {
  static const Library library = find_default();
  return library;
}

}  // namespace tw::nccl
