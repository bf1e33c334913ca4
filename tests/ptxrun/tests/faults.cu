// Seeded faults, one an argument; "none" runs the right versions. The runner looks for the finding.
#include "tests/ptxrun/tests/support.hpp"

__global__ void missing_sync(float* x, bool sync) {
  __shared__ float s[256];
  unsigned t = threadIdx.x;
  s[t] = x[t];
  if (sync) __syncthreads();
  x[t] = s[(t + 32) & 255];
}
__global__ void missing_warp_sync(float* x, bool sync) {
  __shared__ float s[32];
  unsigned t = threadIdx.x;
  s[t] = x[t];
  if (sync) __syncwarp();
  x[t] = s[t ^ 1];
}
__global__ void missing_second_sync(float* x, bool sync) {  // write after read
  __shared__ float s[256];
  unsigned t = threadIdx.x;
  for (int i = 0; i < 3; ++i) {
    s[t] = x[t];
    __syncthreads();
    x[t] += s[255 - t];
    if (sync) __syncthreads();
  }
}
__global__ void tail(float* x, unsigned n, bool wrong) {
  unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  if (wrong ? i <= n : i < n) x[i] = 1;
}
__global__ void shuffle_lane(int* x, bool wrong) {  // half a warp shuffles, and asks the other half
  if (threadIdx.x < 16) x[threadIdx.x] = __shfl_sync(0xffff, int(threadIdx.x), wrong ? 16 : 3);
}
__global__ void unwritten_shared(float* x, bool wrong) {
  __shared__ float s[64];
  if (threadIdx.x < (wrong ? 63 : 64)) s[threadIdx.x] = 2;
  __syncthreads();
  x[threadIdx.x] = s[threadIdx.x];
}
__global__ void misaligned(float* x, bool wrong) {
  float4* v = reinterpret_cast<float4*>(x + (wrong ? 1 : 0));
  *v = make_float4(1, 2, 3, 4);
}
__global__ void divergent_barrier(float* x, unsigned limit) {
  if (threadIdx.x < limit) {
    __syncthreads();
    x[threadIdx.x] = 1;
  }
}
__global__ void wait_for_flag(volatile int* flag) {
  while (*flag == 0) {
  }
}
__global__ void deadlock(float* x, unsigned waiters) {  // a named barrier that waits for more threads than come
  if (threadIdx.x < waiters) asm volatile("bar.sync 1, 64;" ::: "memory");
  x[threadIdx.x] = 0;
}
__global__ void beyond_shared(float* x, unsigned at) {
  extern __shared__ float s[];
  s[at] = x[0];
  x[1] = s[at];
}
__global__ void store_to(float* x) { *x = 1; }
__global__ void load_from(const float* x, float* y) { *y = *x; }
__global__ void assertion(int* x) {
  if (x[0] != 5) __trap();
}
__global__ void unsupported(float* x) {
  unsigned r;
  asm volatile("mov.u32 %0, %%cluster_ctaid.x;" : "=r"(r));
  *x = float(r);
}

int main(int argc, char** argv) {
  std::string f = argc > 1 ? argv[1] : "none";
  Device<float> x(256), y(256);
  Device<int> i(256);
  x.fill(0);
  i.fill(0);
  int one = 1;
  MUST(cudaMemcpy(i.p, &one, 4, cudaMemcpyHostToDevice));
  missing_sync<<<1, 256>>>(x.p, f != "missing_sync");
  missing_warp_sync<<<1, 32>>>(x.p, f != "missing_warp_sync");
  missing_second_sync<<<1, 256>>>(x.p, f != "missing_second_sync");
  tail<<<2, 160>>>(x.p, 256, f == "tail");
  shuffle_lane<<<1, 32>>>(i.p + 32, f == "shuffle_lane");
  unwritten_shared<<<1, 64>>>(x.p, f == "unwritten_shared");
  misaligned<<<1, 1>>>(x.p, f == "misaligned");
  divergent_barrier<<<1, 64>>>(x.p, f == "divergent_barrier" ? 48 : 64);
  wait_for_flag<<<1, 32>>>(i.p + (f == "infinite_wait" ? 1 : 0));
  deadlock<<<1, 64>>>(x.p, f == "deadlock" ? 32 : 64);
  beyond_shared<<<1, 1, 64>>>(x.p, f == "beyond_shared" ? 16 : 15);
  if (f == "unwritten_global") {
    Device<float> z(4);
    load_from<<<1, 1>>>(z.p, x.p);
  }
  if (f == "host_pointer") {
    static float h;
    store_to<<<1, 1>>>(&h);
  }
  if (f == "use_after_free") {
    float* p;
    cudaMalloc(&p, 64);
    cudaFree(p);
    store_to<<<1, 1>>>(p);
  }
  if (f == "trap") assertion<<<1, 1>>>(i.p);
  if (f == "unsupported") unsupported<<<1, 1>>>(x.p);
  cudaError_t e = cudaDeviceSynchronize();
  std::printf("%s: %s\n", f.c_str(), cudaGetErrorString(e));
  return 0;
}
