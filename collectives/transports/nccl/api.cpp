#include "collectives/transports/nccl/api.hpp"

#include <string_view>

#include "kernels/base/check.hpp"

namespace tw {

void nccl::check(const Api& api, ncclResult_t result, const char* call) {
  if (result == ncclSuccess || result == ncclInProgress) [[likely]]
    return;
  const char* last = api.get_last_error(nullptr);
  const std::string_view words = last == nullptr ? "" : last;
  TW_FAIL(NcclError, "NCCL: ", call, ": ", api.get_error_string(result),
          words.empty() ? "" : "; its last words: ", words);
}

}  // namespace tw
