#include "collectives/transports/nccl/comm.hpp"

#include <utility>

namespace tw::nccl {

void Comm::join(const ncclUniqueId& id, std::uint32_t rank, std::uint32_t ranks) {
  ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
  config.blocking = 0;
  TW_NCCL(api_, comm_init_rank_config(&comm_, static_cast<int>(ranks), id, static_cast<int>(rank), &config));
}

bool Comm::settled() {
  ncclResult_t state = ncclSuccess;
  TW_NCCL(api_, comm_get_async_error(comm_, &state));
  failed_remotely_ |= state == ncclRemoteError;
  check(api_, state, "a communicator's work");
  return state != ncclInProgress;
}

void Comm::finalize() { TW_NCCL(api_, comm_finalize(comm_)); }

void Comm::destroy() { TW_NCCL(api_, comm_destroy(std::exchange(comm_, nullptr))); }

void Comm::abort() noexcept {
  if (comm_ != nullptr) api_.comm_abort(std::exchange(comm_, nullptr));
}

}  // namespace tw::nccl
