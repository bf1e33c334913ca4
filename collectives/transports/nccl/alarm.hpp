// Ends the sleep of a transport's thread when a stream gets to an event: no polling, and the stream itself waits for
// nobody, since a second one runs the call.
#pragma once

#include <memory>
#include <mutex>

#include "collectives/transport.hpp"
#include "kernels/cuda/stream.hpp"
#include "kernels/cuda/timeline.hpp"

namespace tw::nccl {

/// Rings once each time it is armed. Can be destroyed while armed: it does not ring then.
class Alarm {
 public:
  /// Wakes `sleeper`, which outlives it. Throws CudaError.
  Alarm(Transport& sleeper, std::uint32_t device);
  ~Alarm();
  Alarm(const Alarm&) = delete;
  Alarm& operator=(const Alarm&) = delete;

  /// `sleeper.wake()` will be called once `event` is reached. Nothing where it is armed already. Throws CudaError.
  void arm(const cuda::Event& event);

 private:
  // What the callback holds: it may come after everything else is gone.
  struct Bell {
    std::mutex mutex;
    Transport* sleeper;
    std::shared_ptr<Bell> self;  // while armed
  };
  static void ring(void* bell);

  std::shared_ptr<Bell> bell_;
  const cuda::Stream stream_;
};

}  // namespace tw::nccl
