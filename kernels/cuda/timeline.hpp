// How far a stream has come, asked without waiting, and a call when it comes further: for a thread that sleeps until
// there is something to do. No CUDA header, so that any file may include it.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <vector>

#include <tightwire/exec.hpp>

#include "kernels/base/handle.hpp"
#include "kernels/cuda/stream.hpp"

namespace tw::cuda {

void destroy_event(void* event);

/// A point in a stream's order, set anew each time it is recorded.
class Event {
 public:
  explicit Event(std::uint32_t device = 0);

  /// The point behind all that was enqueued on the stream of `exec` so far.
  void record(const Exec& exec);
  /// True once the stream has come there, or where nothing was recorded. Throws CudaError where something before it
  /// failed.
  bool reached() const;
  /// What is enqueued on the stream of `exec` from here on comes after that point. Does not block.
  void precede(const Exec& exec) const;

 private:
  std::uint32_t device_;
  UniqueHandle<void*, destroy_event> handle_;
};

/// Marks along one stream. Events are used again: nothing is made in the steady state. Not thread safe; `wake` is
/// called from a thread of CUDA's and must neither throw nor call CUDA.
class Timeline {
 public:
  /// Of the stream of `exec`, which outlives it. Destroying it waits for calls of `wake` that are due.
  Timeline(const Exec& exec, std::function<void()> wake);
  ~Timeline();
  Timeline(const Timeline&) = delete;
  Timeline& operator=(const Timeline&) = delete;

  /// A place behind all that was enqueued so far; `wake` is called when the stream has come there. Marks ascend.
  using Mark = std::uint64_t;
  Mark mark();
  /// False for marks to come. Throws CudaError where something before it failed.
  bool reached(Mark mark);
  /// The next mark that will be made.
  Mark upcoming() const { return made_ + 1; }
  /// Blocks until the stream is done and no call is due. Never throws: a device that failed calls nothing more.
  void settle() noexcept;
  /// The same for the stream alone, at most so many seconds.
  void settle(double seconds) noexcept;
  /// Of its stream.
  const Exec& exec() const { return exec_; }

 private:
  Exec exec_;
  Stream calls_;  // apart, so that the stream itself never waits for a call
  std::function<void()> wake_;
  std::deque<Event> under_way_;  // of marks reached_ + 1, ...
  std::vector<Event> free_;
  Mark made_ = 0, reached_ = 0;
};

}  // namespace tw::cuda
