// How far a stream has come, asked without waiting, and a call when it comes further: for a thread that sleeps until
// there is something to do. No CUDA header, so that any file may include it.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <vector>

#include <tightwire/exec.hpp>

#include "kernels/cuda/bell.hpp"
#include "kernels/cuda/event.hpp"

namespace tw::cuda {

/// Marks along one stream. Events are used again: nothing is made in the steady state. Not thread safe; `wake` is
/// called by a Bell.
class Timeline {
 public:
  /// Of the stream of `exec`, which outlives it. Destroying it settles it.
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
  /// Blocks until the stream is done or has failed; `wake` is not called any more. Never throws.
  void settle() noexcept;
  /// The same for the stream alone, at most so many seconds.
  void settle(double seconds) noexcept;
  /// Of its stream.
  const Exec& exec() const { return exec_; }

 private:
  Exec exec_;
  Bell bell_;
  std::deque<Event> under_way_;  // of marks reached_ + 1, ...
  std::vector<Event> free_;
  Mark made_ = 0, reached_ = 0;
};

}  // namespace tw::cuda
