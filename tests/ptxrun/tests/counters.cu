// Traffic that is known: the runner checks the report.
#include "tests/ptxrun/tests/support.hpp"

__global__ void copy(const float* x, float* y, unsigned n) {
  unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = x[i];
}
__global__ void copy_wide(const float4* x, float4* y, unsigned n) {
  unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = x[i];
}
__global__ void stride_two(const float* x, float* y, unsigned n) {
  unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = x[2 * i];
}
__global__ void read_twice(const float* x, float* y, unsigned n) {
  unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  y[i] = x[i] + x[n - 1 - i];
}
__global__ void transpose(float* y, unsigned pad) {
  extern __shared__ float s[];
  s[threadIdx.x * (32 + pad)] = 1;
  __syncthreads();
  y[threadIdx.x] = s[threadIdx.x * (32 + pad)];
}

int main() {
  unsigned n = 1 << 16;
  Device<float> x(2 * n), y(n);
  x.fill(0);
  copy<<<n / 256, 256>>>(x.p, y.p, n);
  copy_wide<<<n / 1024, 256>>>(reinterpret_cast<float4*>(x.p), reinterpret_cast<float4*>(y.p), n / 4);
  stride_two<<<n / 256, 256>>>(x.p, y.p, n);
  read_twice<<<n / 256, 256>>>(x.p, y.p, n);
  transpose<<<1, 32, 33 * 32 * 4>>>(y.p, 0);
  MUST(cudaDeviceSynchronize());
  return 0;
}
