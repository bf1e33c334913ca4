// The functions of NCCL that Tightwire calls, as pointers: a libnccl found at run time fills them in, and this folder
// calls NCCL through them alone.
#pragma once

#include <nccl.h>

namespace tw::nccl {

struct Api {
  decltype(&::ncclGetVersion) get_version = nullptr;
  decltype(&::ncclGetUniqueId) get_unique_id = nullptr;
  decltype(&::ncclCommInitRankConfig) comm_init_rank_config = nullptr;
  decltype(&::ncclCommFinalize) comm_finalize = nullptr;
  decltype(&::ncclCommDestroy) comm_destroy = nullptr;
  decltype(&::ncclCommAbort) comm_abort = nullptr;
  decltype(&::ncclCommGetAsyncError) comm_get_async_error = nullptr;
  decltype(&::ncclGetErrorString) get_error_string = nullptr;
  decltype(&::ncclGetLastError) get_last_error = nullptr;
  decltype(&::ncclGroupStart) group_start = nullptr;
  decltype(&::ncclGroupEnd) group_end = nullptr;
  decltype(&::ncclSend) send = nullptr;
  decltype(&::ncclRecv) recv = nullptr;
  decltype(&::ncclAllReduce) all_reduce = nullptr;
};

/// Throws NcclError of `call` (its text), with NCCL's words for `result` and for what last went wrong, unless `result`
/// is success or "in progress", which non-blocking calls give where they go on by themselves.
void check(const Api& api, ncclResult_t result, const char* call);

}  // namespace tw::nccl

/// Calls a member of an Api: TW_NCCL(api, group_start()).
#define TW_NCCL(api, call) ::tw::nccl::check((api), (api).call, #call)
