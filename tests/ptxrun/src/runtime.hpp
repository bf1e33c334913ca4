// The stand-in for the CUDA runtime: modules, kernels, streams, errors.
#pragma once
#include <cuda_runtime_api.h>
#include <functional>
#include <mutex>
#include "tests/ptxrun/src/exec.hpp"
#include "tests/ptxrun/src/late.hpp"

namespace ptxrun {

struct Graph {
  std::vector<std::function<cudaError_t()>> nodes;
  bool open = true;  // still being captured
};

struct Kernel {
  Module* module = nullptr;
  std::string name;
  std::unique_ptr<Program> program;  // built at the first launch
  Counters* counters = nullptr;      // then
  int dynamic_shared_limit = 48 * 1024;
  bool complained = false;
};

struct Runtime {
  std::recursive_mutex mutex;
  std::vector<std::unique_ptr<Module>> modules;
  std::map<const void*, Kernel> kernels;                                     // by host function
  std::map<const void*, std::pair<std::uint64_t, std::uint64_t>> variables;  // by host variable: address, size
  std::map<std::string, Counters> counters;                                  // by kernel
  cudaError_t last = cudaSuccess, sticky = cudaSuccess;
  std::uint32_t launches = 0;
  bool unusable = false;  // a kernel without PTX was wanted
};
Runtime& runtime();

constexpr int kMaxShared = 227 * 1024;

// An API call: the lock, and the error it leaves.
class Call {
 public:
  explicit Call() : lock_(runtime().mutex) {}
  cudaError_t operator()(cudaError_t e = cudaSuccess) const {
    Runtime& r = runtime();
    if (e == cudaSuccess) e = r.sticky;
    if (e != cudaSuccess) r.last = e;
    return e;
  }

 private:
  std::lock_guard<std::recursive_mutex> lock_;
};

// Does the work at once, or later; keeps it when the stream is being captured. Later failures stay, as on a GPU.
cudaError_t submit(cudaStream_t stream, std::function<cudaError_t()> work);
int device_of(cudaStream_t stream);
int current_device();  // of the thread
bool is_captured(cudaStream_t stream);
// What the program does in the stream, where no capture keeps it; and the wait for all that the stream has got and
// minds.
void call_later(cudaStream_t stream, std::function<void()> function);
void drain(cudaStream_t stream);
cudaError_t complain(cudaError_t e, const std::string& what);  // prints "ptxrun: what"

std::string find_ptx(const void* fatbin, std::string* why);  // empty: why tells
Program* program_of(Kernel& k);                              // null: complained
cudaError_t launch_kernel(const void* function, dim3 grid, dim3 block, void** args, std::size_t shared,
                          cudaStream_t stream);
Kernel* find_kernel(const void* function);
void write_report();

}  // namespace ptxrun
