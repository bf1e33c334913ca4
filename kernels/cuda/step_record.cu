#include "kernels/cuda/launch.hpp"
#include "kernels/cuda/step_record.hpp"

namespace tw::cuda {
namespace {

// Threads: one writes. Shared memory: none. Bytes: 8 written. Deterministic.
struct SetStep {
  std::uint64_t step;
  std::uint64_t* to;

  __device__ void operator()(Grid grid) const {
    if (grid.thread() == 0) *to = step;
  }
};

}  // namespace

StepRecord::StepRecord(std::uint32_t device)
    : memory_(allocate_block(memory_of(Residence::device, device), sizeof(std::uint64_t))) {}

void StepRecord::set(const Exec& exec, std::uint64_t step) {
  launch(exec, SetStep{step, reinterpret_cast<std::uint64_t*>(memory_.get())}, 1);
}

}  // namespace tw::cuda
