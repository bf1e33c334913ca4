// What a trainer holds: register parameters once, then each step hand buckets over as their gradients become ready and
// end the step. After `end_step` says committed, every rank that does not fail holds the same mean, bit for bit.
//
//   tw::Communicator comm(tw::connect(launch, options), options);
//   comm.register_parameters(params, tw::plan_buckets(params, 4 << 20));
//   for (step...) {
//     comm.begin_step({step, lr});
//     for (bucket, as backward finishes it) work.push_back(comm.all_reduce(bucket));
//     if (comm.verdict(deadline).commit) for (w : work) { w.wait(deadline); apply(...); }
//     comm.end_step(deadline);
//   }
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <tightwire/connect.hpp>
#include <tightwire/deadline.hpp>
#include <tightwire/error.hpp>
#include <tightwire/exec.hpp>
#include <tightwire/types.hpp>

namespace tw {

/// How gradients are coded and moved. Must be equal on all ranks (but for `deadline_seconds`, `exec` and `log`), which
/// `register_parameters` checks.
struct CommunicatorOptions {
  std::string codec = "identity";                                   ///< spec of every parameter without a rule
  std::vector<std::pair<std::string, std::string>> codec_for = {};  ///< (pattern, spec); a later rule wins
  std::string algorithm = "two_shot";
  std::uint64_t seed = 0;
  std::uint64_t chunk_bytes = 1u << 18;  ///< f32 bytes a frame aims at; what is coded then stays in the cache
  bool checksum = true;                  ///< CRC-32C on every frame
  std::uint32_t communicator_id = 0;     ///< tells communicators of one process group apart
  double deadline_seconds = 30;          ///< for waits inside the library that take no deadline
  /// Where gradients lie and are coded: backend, workers; with Backend::cuda the device, and the stream whose order
  /// gradients become ready in. Arena and status are the library's own.
  Exec exec = {};
  /// Called on the communicator's thread, which waits for it. What it throws is lost. May be empty.
  std::function<void(const std::string&)> log = {};
};

/// The registered cut of parameters into buckets: each entry is a bucket's pieces (data null).
using BucketPieces = std::vector<Piece>;

/// Buckets of about `bytes` f32 bytes each, parameters in reverse order of registration (the order in which backward
/// finishes them), never cutting a parameter.
std::vector<BucketPieces> plan_buckets(std::span<const Param> params, std::uint64_t bytes);
/// The same for a communicator made with `options`, but parameters above `bytes` are spread over several buckets where
/// their codec can be cut: each bucket takes an equal part of every owner's shard, so that all ranks have work in it,
/// and the optimiser can run on one part while the next is on the wire.
std::vector<BucketPieces> plan_buckets(std::span<const Param> params, std::uint64_t bytes,
                                       const CommunicatorOptions& options, std::uint32_t ranks);

/// What all ranks agreed on for this step.
struct Verdict {
  bool commit = true;
  std::string reason;        ///< why not
  std::uint32_t rank = 0;    ///< the first rank that said no
  std::uint64_t absent = 0;  ///< parameters without gradient, summed over ranks
};

/// How a step ended on every rank.
struct StepOutcome {
  bool committed = true;
  std::string reason;
  std::uint32_t rank = 0;
  std::uint64_t absent = 0;
};

/// Counters since creation. Seconds are of the communicator's thread.
struct Stats {
  std::uint64_t steps = 0;
  std::uint64_t skipped_steps = 0;
  std::uint64_t absent_pieces = 0;
  std::uint64_t sent_bytes = 0;  ///< handed to the transport, frames and votes, headers included
  std::uint64_t sent_messages = 0;
  double encode_seconds = 0;
  double decode_seconds = 0;
  std::size_t state_bytes = 0;  ///< residuals, both buffers
  /// How the caller's waits (of Work, verdict, end_step) divide by what the communicator's thread did meanwhile.
  double waited_encode_seconds = 0;
  double waited_decode_seconds = 0;
  double waited_comm_seconds = 0;
};

/// One bucket under way. Move-only; destroying it does not cancel.
class Work {
 public:
  struct Shared;
  Work() = default;
  explicit Work(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}
  Work(Work&&) noexcept = default;
  Work& operator=(Work&&) noexcept = default;

  /// Blocks until the bucket's tensors hold the mean. Throws what the exchange failed with, or PeerError at the
  /// deadline.
  void wait(Deadline deadline);
  /// What is enqueued on the stream of `exec` from here on finds the mean. Where the device makes it in the order of a
  /// stream (transport nccl), blocks until all of that is enqueued, not until it is done; elsewhere as `wait`. Throws
  /// as `wait` does, but for what only the device finds wrong with frames of others: `end_step` throws that, when such
  /// a mean may have been used already.
  void join(const Exec& exec, Deadline deadline);
  bool done() const;

 private:
  std::shared_ptr<Shared> shared_;
};

/// One member of a group of ranks. Calls come from one thread at a time, in the same order on every rank.
class Communicator {
 public:
  /// Takes over a connected transport. Starts the communicator's thread.
  Communicator(TransportPtr transport, CommunicatorOptions options);
  /// Work in flight is revoked: other ranks see this one leave. Waits for the device, and so for the streams that make
  /// gradients which were handed over.
  ~Communicator();
  Communicator(Communicator&&) noexcept;
  Communicator& operator=(Communicator&&) noexcept;

  std::uint32_t rank() const;
  std::uint32_t ranks() const;

  /// Fixes what will be exchanged; collective. Compares configuration, parameter table and bucket plan with all ranks
  /// and throws UsageError that names the first difference and the ranks. Parameters need ids 0, 1, 2, ... Where
  /// gradients lie on a device, all device and pinned memory of the exchange is taken here (collectives/COSTS.md says
  /// how much).
  void register_parameters(std::vector<Param> params, std::vector<BucketPieces> buckets);

  void begin_step(const StepInfo& step);
  /// Starts the all-reduce of a registered bucket; its pieces must be the registered ones (UsageError names the
  /// difference), null data meaning "no gradient here this step". Gradients are replaced by the mean.
  ///
  /// Over a transport that exchanges device memory (nccl) buckets go in ascending order of id, whatever the order in
  /// which they are handed over: do not wait for one before all lower ones are handed over.
  Work all_reduce(const Bucket& bucket);
  /// The same where another stream made the gradients: they are read once it has come as far as it is now. The caller
  /// does not wait. What is enqueued on any stream after `Work::wait` comes after the mean.
  Work all_reduce(const Exec& made_by, const Bucket& bucket);
  /// Waits for the vote. Buckets that were not handed over by now count as absent.
  Verdict verdict(Deadline deadline);
  /// Waits for all work, then commits memories on every rank, or rolls them back on every rank.
  StepOutcome end_step(Deadline deadline);

  /// Copies `tensor` of rank `root` to all. It lies in host memory, as that of `all_reduce_dense` does.
  void broadcast(TensorView tensor, std::uint32_t root, Deadline deadline);
  void barrier(Deadline deadline);
  /// Small exact reductions in rank order, in place: sum, max (f32, u32) or gather-free metrics. At most 1 MiB.
  enum class Reduce : std::uint8_t { sum, max };
  void all_reduce_dense(TensorView tensor, Reduce op, Deadline deadline);
  /// Everybody's blob of equal size, by rank.
  std::vector<std::byte> all_gather(std::span<const std::byte> blob, Deadline deadline);

  Stats stats() const;

  /// Memories of both hops, for checkpoints; between steps only. `load_state` refuses what does not fit the registered
  /// parameters and configuration.
  void save_state(const std::function<void(std::span<const std::byte>)>& sink);
  void load_state(const std::function<void(std::span<std::byte>)>& source);

  /// Gives up: this rank's waits throw, the others are told.
  void abort(const std::string& reason) noexcept;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tw
