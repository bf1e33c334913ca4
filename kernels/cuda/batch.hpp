// Many small jobs in a few launches. While a batch is open, ops on the CUDA backend do not launch their kernels but
// leave them with the batch (`Exec::batch`); closing it launches them, those of one kernel together.
//
//   BatchScope batch(exec);
//   for (job : jobs) {
//     batch.begin_job();
//     op(exec, job);         // one op or several, each of one kernel or several
//   }
//   batch.close();
//
// No CUDA header, so that any file may include it; where the backend is another, or Exec has no batch, a scope does
// nothing and ops run as they are called.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <tightwire/exec.hpp>

#include "kernels/base/arena.hpp"

namespace tw {
namespace cuda {

/// A kernel's parameters, and how many blocks they are for.
struct GatheredRun {
  const void* kernel;
  unsigned blocks;
};

/// How runs of one kernel are launched (kernels/cuda/launch.hpp has one for each, for as long as the program runs).
/// Kernels are told apart by its address.
struct KernelKind {
  using Enqueue = void (*)(const Exec& exec, std::span<const GatheredRun> runs);
  using Load = void (*)();

  KernelKind(std::size_t parameter_bytes, Enqueue enqueues, Load loads);
  KernelKind(const KernelKind&) = delete;
  KernelKind& operator=(const KernelKind&) = delete;

  const std::size_t bytes;  ///< of its parameters
  const Enqueue enqueue;
  const Load load;               ///< onto the current device
  const KernelKind* const next;  ///< of all that the program has
};

/// Loads every kernel that the program can launch onto the device of `exec`. CUDA does it at a kernel's first launch
/// otherwise, and may then wait for all that the device has under way ("lazy loading"): for ever, where that waits for
/// a rank that is no more. Throws CudaError.
void load_kernels(const Exec& exec);

class BatchScope;

}  // namespace cuda

/// What an open batch has gathered. Owned by whoever makes the Exec, for one stream, and used again and again: once it
/// has grown it allocates nothing. Not thread safe, as Exec is not.
///
/// What is gathered stands in stages, each of one kernel. A job's next kernel joins the first stage of this kernel
/// behind the job's last one; where there is none, a new stage is put right behind that. So kernels of a job keep their
/// order, and jobs that skip some of the others' kernels still meet in the rest.
///
/// A job may consist of jobs: a scope inside of it. They come behind what the job did before, and what it does next
/// comes behind them all.
class LaunchBatch {
 public:
  bool is_open() const { return open_; }

  /// Bytes held; constant in the steady state.
  std::size_t reserved_bytes() const;

  /// For launch(): gathers a kernel of the job that is at work. Copies the parameters.
  void add(const cuda::KernelKind& kind, const cuda::GatheredRun& run);

 private:
  friend class cuda::BatchScope;

  static constexpr std::uint32_t kNone = ~std::uint32_t{0};
  struct Stage {
    const cuda::KernelKind* kind = nullptr;
    std::uint32_t next = kNone;                 // in order
    std::uint32_t first = kNone, last = kNone;  // of its runs
  };
  struct Run {
    std::size_t bytes_before;  // its parameters are behind these
    unsigned blocks;
    std::uint32_t next;
  };

  /// Stages between which the jobs of a scope lie.
  struct Span {
    std::uint32_t begin = 0;  // every job's, behind which it comes
    std::uint32_t end = 0;    // the last one of all jobs
  };

  void open(Arena* arena);
  /// Jobs of a scope inside the job that is at work; what `leave` is given back, once they are through.
  Span enter();
  void leave(Span outer);
  void begin_job() { at_ = jobs_.begin; }
  void launch(const Exec& exec);
  void close();
  std::uint32_t stage_for(const cuda::KernelKind& kind);
  std::uint32_t later(std::uint32_t one, std::uint32_t other) const;

  bool open_ = false;
  std::uint32_t at_ = 0;  // the stage of the job's last kernel
  Span jobs_;
  std::vector<Stage> stages_{1};  // the first one comes before all and is empty
  std::vector<Run> runs_;         // in the order they came
  std::vector<std::byte> bytes_;  // their parameters
  std::vector<cuda::GatheredRun> gathered_;
  std::optional<Arena::Hold> hold_;  // scratch memory stays taken
};

namespace cuda {

/// The time in which the batch of an Exec is open. Jobs must not depend on each other, nor on anything that is
/// enqueued on the stream meanwhile by other means than ops; what they are given must stay where it is until then.
/// Scratch memory that is taken from the Exec's arena meanwhile goes with the scope, whoever took it.
/// Where the batch is open already, the scope's jobs are part of the job at work, and launched with it.
class BatchScope {
 public:
  explicit BatchScope(const Exec& exec);
  /// Of an outermost scope: discards what was not launched, for when something was thrown.
  ~BatchScope();
  BatchScope(const BatchScope&) = delete;
  BatchScope& operator=(const BatchScope&) = delete;

  /// What follows is independent of what came before.
  void begin_job();
  /// Enqueues all that was gathered, where this scope is the outermost. Throws CudaError where a launch fails: what
  /// came before it is enqueued, the rest is dropped, and the batch may be used again.
  void close();

 private:
  void end();

  Exec exec_;
  LaunchBatch* batch_;                      // null where the scope does nothing, and once it is closed
  std::optional<LaunchBatch::Span> outer_;  // where it is not the outermost
};

}  // namespace cuda
}  // namespace tw
