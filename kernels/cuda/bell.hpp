// A call when a stream gets to an event: for a thread that sleeps until there is something to do. No CUDA header, so
// that any file may include it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "kernels/cuda/event.hpp"
#include "kernels/cuda/stream.hpp"

namespace tw::cuda {

/// Rings on a thread of CUDA's, from a stream of its own, so that no other waits for the call. Not thread safe.
///
/// Whoever is called may go before the device is done: no call comes once the bell is silent, not even one that a
/// device which failed, and says so at once to those who wait for it, had already begun to make.
class Bell {
 public:
  /// `wake` must neither throw nor call CUDA or this bell.
  Bell(std::uint32_t device, std::function<void()> wake);
  ~Bell() { silence(); }
  Bell(const Bell&) = delete;
  Bell& operator=(const Bell&) = delete;

  /// `wake` will be called once `event` is reached. Allocates nothing. Throws CudaError.
  void ring_after(const Event& event);
  /// True while a call is yet to come.
  bool due() const;
  /// No call comes from now on; one that is being made is waited for.
  void silence() noexcept;

 private:
  struct State;
  static void ring(void* state);

  std::shared_ptr<State> state_;
  const Stream stream_;
};

}  // namespace tw::cuda
