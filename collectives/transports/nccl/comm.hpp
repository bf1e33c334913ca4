// Owns a non-blocking communicator of NCCL. One thread.
#pragma once

#include <cstdint>

#include "collectives/transports/nccl/api.hpp"

namespace tw::nccl {

class Comm {
 public:
  explicit Comm(const Api& api) : api_(api) {}
  /// Aborts what was not destroyed: does not wait for peers.
  ~Comm() { abort(); }
  Comm(const Comm&) = delete;
  Comm& operator=(const Comm&) = delete;

  const Api& api() const { return api_; }
  ncclComm_t get() const { return comm_; }

  /// Begins to join `ranks` ranks, with the thread's current device. Throws NcclError; so do the calls below.
  void join(const ncclUniqueId& id, std::uint32_t rank, std::uint32_t ranks);
  /// False while NCCL is at what it was last asked for: nothing else may be asked meanwhile. Throws once anything has
  /// failed, also in the background.
  bool settled();
  /// True if what failed lay with another rank, or the way there.
  bool failed_remotely() const { return failed_remotely_; }

  /// Begins to end in good order; `settled` tells when `destroy` is due.
  void finalize();
  void destroy();
  /// Ends it at once; kernels that wait for peers give up. Nothing where there is no communicator.
  void abort() noexcept;

 private:
  const Api api_;
  ncclComm_t comm_ = nullptr;
  bool failed_remotely_ = false;
};

/// All calls of its lifetime are one group. Where that ends by an exception, the group ends too.
class GroupCall {
 public:
  explicit GroupCall(const Api& api) : api_(api) { TW_NCCL(api_, group_start()); }
  ~GroupCall() {
    if (open_) api_.group_end();
  }
  GroupCall(const GroupCall&) = delete;
  GroupCall& operator=(const GroupCall&) = delete;

  /// NCCL begins to enqueue what was called; Comm::settled tells when it has. Throws NcclError.
  void end() {
    open_ = false;
    TW_NCCL(api_, group_end());
  }

 private:
  const Api& api_;
  bool open_ = true;
};

}  // namespace tw::nccl
