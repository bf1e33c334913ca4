// One UCX context and worker, with the kind of path its endpoints may take. A rank has up to two, because UCX decides
// by context which paths it may use: one for ranks of its own host, one for all others.
//
//   host     shared memory, no error handling (UCX has none there): whoever uses it watches its peers by itself
//   network  never shared memory, error handling by UCX (mode PEER)
//
// Messages may lie in memory of CUDA's devices where UCX was built for it and its settings leave it in.
//
// The user's UCX_* settings hold; only what they leave open is narrowed. Not thread safe.
#pragma once

#include <ucp/api/ucp.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "collectives/transports/ucx/protocol.hpp"
#include "kernels/base/handle.hpp"

namespace tw::ucx {

enum class Path : std::uint8_t { host, network };
/// Where messages may lie: in the host's memory alone, or in that of CUDA's devices too.
enum class Memory : std::uint8_t { host, cuda };

using ContextHandle = UniqueHandle<ucp_context_h, ucp_cleanup>;

class Fabric {
 public:
  /// `interface` names the device of the network path; empty leaves the choice to UCX. A user's UCX_NET_DEVICES wins.
  /// `memory` is asked for; see takes_cuda().
  Fabric(Path path, const std::string& interface, Memory memory);
  ~Fabric();
  Fabric(const Fabric&) = delete;
  Fabric& operator=(const Fabric&) = delete;

  Path path() const { return path_; }
  bool takes_cuda() const { return takes_cuda_; }
  ucp_worker_h worker() const { return worker_.get(); }
  /// Readable when an armed worker has something to do.
  int event_fd() const;
  /// True where large messages had better not announce themselves (rendezvous): with TCP alone they take turns with
  /// what they announce on one stream each way, and every announcement and answer waits behind all data before it.
  /// Seen: 74 of 118 MB/s, against 117 without. False if the user set UCX_RNDV_THRESH.
  bool prefers_eager() const { return prefers_eager_; }
  std::vector<std::byte> address() const;

  /// Calls `callback(argument, ...)` for every active message of this id, whole.
  void handle(MessageId id, ucp_am_recv_callback_t callback, void* argument);
  /// An endpoint to the worker of this address. It lives as long as the fabric. `on_error` is called when the
  /// connection is lost, on the network path only.
  ucp_ep_h connect(std::span<const std::byte> address, ucp_err_handler_t on_error);
  /// Breaks a connection of the network path: what was under way completes with an error.
  void cut(ucp_ep_h endpoint);

  /// One step of UCX's engine; 0 when nothing happened.
  unsigned progress() { return silenced_ ? 0 : ucp_worker_progress(worker_.get()); }
  /// Prepares for sleeping on the event fd; false if there is something to do first.
  bool arm() { return silenced_ || ucp_worker_arm(worker_.get()) == UCS_OK; }
  /// No progress any more, so that nothing of this worker touches memory: all its copies are made by progress().
  void silence() { silenced_ = true; }
  bool silenced() const { return silenced_; }
  /// Something that UCX copies cannot be completed any more. UCX aborts the process if such a worker is destroyed, so
  /// this one stays until the process ends, without ever making progress.
  void abandon();
  /// Makes progress until what was sent has been handed to the system or that many seconds are over.
  void flush(double seconds);

 private:
  void finish(ucs_status_ptr_t request, double seconds);

  const Path path_;
  ContextHandle context_;
  UniqueHandle<ucp_worker_h, ucp_worker_destroy> worker_;
  const bool takes_cuda_;
  const bool prefers_eager_;
  bool silenced_ = false;
};

/// A context for `path`, as a Fabric has it.
ContextHandle make_context(Path path, const std::string& interface, Memory memory);

/// Whether UCX reports CUDA memory among what this context takes.
bool reports_cuda(ucp_context_h context);

/// The devices that a context can use, by transport: {"tcp", "eth0, lo"}.
std::map<std::string, std::string> devices_by_transport(ucp_context_h context);

/// Version of the UCX library that is running.
std::string ucx_version();

}  // namespace tw::ucx
