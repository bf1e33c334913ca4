// Several devices: each has streams and memory of its own. Runs with PTXRUN_DEVICES=2.
#include "tests/ptxrun/tests/support.hpp"

__global__ void add(int* x, int v) { x[threadIdx.x] += v; }

int main() {
  int count = 0, device = -1;
  MUST(cudaGetDeviceCount(&count));
  check(count == 2 && cudaSetDevice(2) == cudaErrorInvalidDevice, "there are two devices");
  cudaGetLastError();
  cudaStream_t first, second;
  cudaEvent_t event;
  MUST(cudaStreamCreate(&first));
  MUST(cudaEventCreate(&event));
  Device<int> x(32);
  x.fill(0);
  MUST(cudaSetDevice(1));
  MUST(cudaStreamCreate(&second));
  Device<int> y(32);
  y.fill(0);
  MUST(cudaGetDevice(&device));
  check(device == 1, "the current device is the thread's");
  MUST(cudaStreamGetDevice(first, &device));
  cudaPointerAttributes of_y{};
  MUST(cudaPointerGetAttributes(&of_y, y.p));
  check(device == 0 && of_y.device == 1, "streams and memory are those of what was current");
  add<<<1, 32, 0, first>>>(x.p, 1);
  check(cudaGetLastError() == cudaErrorInvalidResourceHandle, "a launch wants the stream's device to be current");
  check(cudaEventRecord(event, second) == cudaErrorInvalidResourceHandle, "events are recorded on their own device");
  cudaGetLastError();
  add<<<1, 32, 0, second>>>(y.p, 3);
  MUST(cudaMemcpyAsync(x.p, y.p, 128, cudaMemcpyDefault, first));
  check(x.host()[31] == 3, "copies go between devices");
  MUST(cudaEventRecord(event, first));
  MUST(cudaStreamWaitEvent(second, event, 0));
  add<<<1, 32, 0, second>>>(x.p, 1);  // the first device's: the runner looks for exactly this finding
  check(cudaStreamSynchronize(second) == cudaErrorIllegalAddress, "kernels reach their own device's memory alone");
  return failures() != 0;
}
