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

// Nothing begins before all is handed over: what is done first is drawn, but for what waits.
void test_streams() {
  cudaStream_t gate, maker, waiting, hasty, blocking;
  for (cudaStream_t* s : {&gate, &maker, &waiting, &hasty}) MUST(cudaStreamCreateWithFlags(s, cudaStreamNonBlocking));
  cudaEvent_t made;
  MUST(cudaEventCreate(&made));
  Device<int> x(32), y(32);
  x.fill(0), y.fill(0);
  int* seen;
  MUST(cudaMallocHost(&seen, 3 * sizeof(int)));
  open = false;
  std::thread::id caller = std::this_thread::get_id();
  MUST(cudaLaunchHostFunc(gate, wait_until_open, &caller));
  for (int i = 0; i < 8; ++i) add<<<1, 32, 0, maker>>>(x.p, 1);
  MUST(cudaEventRecord(made, maker));
  MUST(cudaStreamWaitEvent(waiting, made, 0));
  MUST(cudaMemcpyAsync(seen, x.p, 4, cudaMemcpyDeviceToHost, waiting));
  MUST(cudaEventRecord(made, gate));  // who waits for what it was before does so still
  MUST(cudaMemcpyAsync(seen + 1, x.p, 4, cudaMemcpyDeviceToHost, hasty));
  MUST(cudaStreamCreate(&blocking));
  add<<<1, 32, 0, blocking>>>(y.p, 1);
  add<<<1, 32>>>(y.p, 2);
  MUST(cudaMemcpyAsync(seen + 2, y.p, 4, cudaMemcpyDeviceToHost, blocking));
  MUST(cudaStreamDestroy(blocking));
  open = true;
  MUST(cudaDeviceSynchronize());
  check(seen[0] == 8, "a stream waits for what another one recorded");
  check(seen[1] < 8, "and otherwise for none");
  check(seen[2] == 3, "the legacy stream keeps its order with blocking ones; a stream that is destroyed ends its work");
}

// Whoever waits may do what the device does, never what the program does.
void test_waiting() {
  cudaStream_t s;
  MUST(cudaStreamCreate(&s));
  Device<int> x(32);
  x.fill(0);
  std::thread::id caller = std::this_thread::get_id();
  for (int i = 0; i < 100; ++i) {
    add<<<1, 32, 0, s>>>(x.p, 1);
    MUST(cudaLaunchHostFunc(s, wait_until_open, &caller));
    add<<<1, 32, 0, s>>>(x.p, 1);
    MUST(cudaStreamSynchronize(s));
  }
  int* seen;
  MUST(cudaMallocHost(&seen, 4));
  *seen = 0;
  MUST(cudaMemcpyAsync(seen, x.p, 4, cudaMemcpyDeviceToHost, s));
  while (std::atomic_ref(*seen).load() != 200) std::this_thread::yield();
  check(true, "what nobody waits for is done too");
}

int main() {
  test_streams();
  test_waiting();
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
  open = false;
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
