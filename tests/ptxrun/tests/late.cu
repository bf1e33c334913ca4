// Work that is done later: nothing of it shows before the stream has come there. Runs with --late alone.
#include <atomic>
#include <thread>
#include "tests/ptxrun/tests/support.hpp"

__global__ void add(int* x, int v) { x[threadIdx.x] += v; }

std::atomic<bool> open = false;
void wait_until_open(void* caller) {
  if (std::this_thread::get_id() == *static_cast<std::thread::id*>(caller)) {
    std::puts("FAILED: streams do their work at once here; run this with --late");
    std::exit(1);
  }
  while (!open) std::this_thread::yield();
}

int main() {
  cudaStream_t s;
  cudaEvent_t event;
  MUST(cudaStreamCreate(&s));
  MUST(cudaEventCreate(&event));
  Device<int> x(32);
  x.fill(0);
  int *pinned, pageable[32];
  MUST(cudaMallocHost(&pinned, 128));
  std::memset(pinned, 0, 128);
  check(cudaEventQuery(event) == cudaSuccess, "an event that was never recorded is reached");
  std::thread::id caller = std::this_thread::get_id();
  MUST(cudaLaunchHostFunc(s, wait_until_open, &caller));
  add<<<1, 32, 0, s>>>(x.p, 2);
  MUST(cudaMemcpyAsync(pinned, x.p, 128, cudaMemcpyDeviceToHost, s));
  MUST(cudaEventRecord(event, s));
  check(cudaEventQuery(event) == cudaErrorNotReady && cudaStreamQuery(s) == cudaErrorNotReady, "not reached yet");
  cudaGetLastError();
  check(pinned[31] == 0, "a copy to pinned memory comes later");
  open = true;
  MUST(cudaEventSynchronize(event));
  check(cudaEventQuery(event) == cudaSuccess && pinned[31] == 2, "then all is there");
  add<<<1, 32, 0, s>>>(x.p, 4);
  MUST(cudaMemcpyAsync(pageable, x.p, 128, cudaMemcpyDeviceToHost, s));
  check(pageable[0] == 6, "copies of pageable memory wait");
  add<<<1, 33, 0, s>>>(x.p, 1);  // beyond x: the runner looks for exactly this finding
  check(cudaStreamSynchronize(s) == cudaErrorIllegalAddress, "what fails later is found by whoever waits");
  return failures() != 0;
}
