// What the libraries of the toolkit make of device code: block algorithms, cooperative groups, asynchronous copies,
// barriers in shared memory, math functions, fp8, printf.
#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>
#include <cooperative_groups/scan.h>
#include <cuda_fp8.h>
#include <algorithm>
#include <cmath>
#include <cub/cub.cuh>
#include <cuda/atomic>
#include <cuda/barrier>
#include <cuda/pipeline>
#include <numeric>
#include "tests/ptxrun/tests/support.hpp"

namespace cg = cooperative_groups;

__global__ void block_algorithms(const int* x, int* y, int* sum) {
  using Sort = cub::BlockRadixSort<int, 128, 4>;
  using Scan = cub::BlockScan<int, 128>;
  using Reduce = cub::BlockReduce<int, 128>;
  __shared__ union {
    Sort::TempStorage sort;
    Scan::TempStorage scan;
    Reduce::TempStorage reduce;
  } temp;
  int v[4], before[4];
  for (int i = 0; i < 4; ++i) v[i] = x[threadIdx.x * 4 + i];
  Sort(temp.sort).Sort(v);
  __syncthreads();
  Scan(temp.scan).ExclusiveSum(v, before);
  __syncthreads();
  int total = Reduce(temp.reduce).Sum(v);
  if (threadIdx.x == 0) *sum = total;
  for (int i = 0; i < 4; ++i) y[threadIdx.x * 4 + i] = before[i];
}
void test_block() {
  std::vector<int> x(512), want(512);
  for (int i = 0; i < 512; ++i) x[i] = i * 7919 % 1000 - 300;
  Device<int> d(x), y(512), sum(1);
  block_algorithms<<<1, 128>>>(d.p, y.p, sum.p);
  std::sort(x.begin(), x.end());
  std::exclusive_scan(x.begin(), x.end(), want.begin(), 0);
  check(y.host() == want && sum.host()[0] == std::accumulate(x.begin(), x.end(), 0), "block sort, scan, reduce");
}

__global__ void groups(int* x, unsigned* odd) {
  auto block = cg::this_thread_block();
  auto warp = cg::tiled_partition<32>(block);
  auto eight = cg::tiled_partition<8>(warp);
  int v = x[block.thread_rank()], all = cg::reduce(warp, v, cg::plus<int>()),
      most = cg::reduce(eight, v, cg::greater<int>()), scan = cg::inclusive_scan(eight, v);
  block.sync();
  x[block.thread_rank()] = all + most * 1000 + scan * 100000;
  if (v & 1) {
    auto now = cg::coalesced_threads();
    if (now.thread_rank() == 0) atomicAdd(odd, unsigned(now.size()));
  }
}
void test_groups() {
  std::vector<int> g(256), want(256);
  unsigned odd = 0;
  for (int i = 0; i < 256; ++i) odd += (g[i] = i % 50) & 1;
  Device<int> d(g);
  Device<unsigned> n(1);
  n.fill(0);
  groups<<<1, 256>>>(d.p, n.p);
  for (int i = 0; i < 256; ++i) {
    auto w = g.begin() + i / 32 * 32, e = g.begin() + i / 8 * 8;
    want[i] = std::accumulate(w, w + 32, 0) + *std::max_element(e, e + 8) * 1000 +
              std::accumulate(e, g.begin() + i + 1, 0) * 100000;
  }
  check(d.host() == want && n.host()[0] == odd, "cooperative groups");
}

__global__ void staged(const float4* x, float4* y, unsigned tiles) {  // two stages of cp.async
  __shared__ float4 s[2][64];
  auto pipe = cuda::make_pipeline();
  auto fetch = [&](unsigned t) {
    pipe.producer_acquire();
    cuda::memcpy_async(&s[t & 1][threadIdx.x], x + t * 64 + threadIdx.x, cuda::aligned_size_t<16>(16), pipe);
    pipe.producer_commit();
  };
  fetch(0);
  for (unsigned t = 0; t < tiles; ++t) {
    if (t + 1 < tiles) {
      fetch(t + 1);
      cuda::pipeline_consumer_wait_prior<1>(pipe);
    } else
      cuda::pipeline_consumer_wait_prior<0>(pipe);
    __syncthreads();
    y[t * 64 + threadIdx.x] = s[t & 1][63 - threadIdx.x];
    __syncthreads();
    pipe.consumer_release();
  }
}
__global__ void bulk(const float* x, float* y, bool wait) {  // one cp.async.bulk in, one out
  __shared__ alignas(16) float s[256];
  __shared__ cuda::barrier<cuda::thread_scope_block> ready;
  if (threadIdx.x == 0) {
    init(&ready, blockDim.x);
    cuda::device::experimental::fence_proxy_async_shared_cta();
  }
  __syncthreads();
  cuda::barrier<cuda::thread_scope_block>::arrival_token token;
  if (threadIdx.x == 0) {
    cuda::device::experimental::cp_async_bulk_global_to_shared(s, x + blockIdx.x * 256, sizeof s, ready);
    token = cuda::device::barrier_arrive_tx(ready, 1, sizeof s);
  } else
    token = ready.arrive();
  if (wait) ready.wait(std::move(token));
  s[threadIdx.x] += 1;
  cuda::device::experimental::fence_proxy_async_shared_cta();
  __syncthreads();
  if (threadIdx.x == 0) {
    cuda::device::experimental::cp_async_bulk_shared_to_global(y + blockIdx.x * 256, s, sizeof s);
    cuda::device::experimental::cp_async_bulk_commit_group();
    cuda::device::experimental::cp_async_bulk_wait_group_read<0>();
  }
}
void test_copies() {
  auto x = normals(2048);
  Device<float> d(x), y(2048), z(2048);
  staged<<<1, 64>>>(reinterpret_cast<float4*>(d.p), reinterpret_cast<float4*>(y.p), 8);
  bulk<<<8, 256>>>(d.p, z.p, true);
  auto a = y.host(), b = z.host();
  bool ok = true, bulk_ok = true;
  for (int i = 0; i < 2048; ++i) {
    ok &= a[i] == x[(i / 256 * 64 + 63 - i / 4 % 64) * 4 + i % 4];
    bulk_ok &= b[i] == x[i] + 1;
  }
  check(ok, "cp.async in two stages");
  check(bulk_ok, "cp.async.bulk with a barrier in shared memory");
}

__global__ void math(float* f, double* d, unsigned* u, cuda::atomic<int>* a) {
  a->fetch_add(3, cuda::memory_order_acq_rel);
  a->fetch_max(7);
  u[0] = __nv_fp8_e4m3(f[0]).__x;
  u[1] = __nv_fp8_e5m2(f[0]).__x;
  f[0] = powf(f[0], 1.7f);
  f[1] = sinf(f[1]);
  f[2] = expf(f[2]);
  f[3] = logf(f[3]);
  f[4] = tanhf(f[4]);
  f[5] = rsqrtf(f[5]);
  f[6] = sinf(f[6]);
  f[7] = erff(f[7]);
  d[0] = sin(d[0]);
  d[1] = exp(d[1]);
  d[2] = d[2] / d[3];
  d[4] = pow(d[4], 2.5);
  printf("ok printf %d %.3f %s %lld\n", int(threadIdx.x), 2.5, "text", 123456789012ll);
}
void test_math() {
  std::vector<float> f = {2.5f, 2, 3, 5, .5f, 4, 100000.f, .7f};
  std::vector<double> d = {1, 2, 10, 3, 7};
  Device<float> df(f);
  Device<double> dd(d);
  Device<unsigned> u(2);
  Device<cuda::atomic<int>> a(1);
  a.fill(0);
  math<<<1, 1>>>(df.p, dd.p, u.p, a.p);
  auto g = df.host();
  auto h = dd.host();
  float want[] = {powf(2.5f, 1.7f), sinf(2), expf(3), logf(5), tanhf(.5f), .5f, sinf(100000.f), erff(.7f)};
  bool ok = true;
  for (int i = 0; i < 8; ++i) ok &= std::fabs(g[i] - want[i]) <= 4e-6f * std::fabs(want[i]);
  check(ok, "float functions");
  check(std::fabs(h[0] - sin(1)) < 1e-15 && std::fabs(h[1] - exp(2)) < 1e-14 && h[2] == 10 / 3. &&
            std::fabs(h[4] - pow(7, 2.5)) < 1e-12,
        "double functions");
  check(u.host()[0] == __nv_fp8_e4m3(2.5f).__x && u.host()[1] == __nv_fp8_e5m2(2.5f).__x, "fp8");
}
__global__ void all_small(const float* x, unsigned char* e4, unsigned char* e5, unsigned n) {
  unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) {
    e4[i] = __nv_fp8_e4m3(x[i]).__x;
    e5[i] = __nv_fp8_e5m2(x[i]).__x;
  }
}
void test_fp8() {
  auto x = normals(20000);
  for (size_t i = 0; i < x.size(); ++i) x[i] = std::ldexp(x[i], int(i % 40) - 22);
  Device<float> d(x);
  Device<unsigned char> e4(x.size()), e5(x.size());
  all_small<<<blocks(x.size(), 128), 128>>>(d.p, e4.p, e5.p, unsigned(x.size()));
  auto a = e4.host(), b = e5.host();
  bool ok = true;
  for (size_t i = 0; i < x.size(); ++i) ok &= a[i] == __nv_fp8_e4m3(x[i]).__x && b[i] == __nv_fp8_e5m2(x[i]).__x;
  check(ok, "fp8 in bulk");
}

__global__ void halves(__half2* h, unsigned* mask, float4* f, float2* g, int* ok) {
  __half2 a = __floats2half2_rn(1.5f, -2.f), b = __floats2half2_rn(1.f, -2.f);
  h[0] = __hge2(a, b);
  h[1] = __hgt2(a, b);
  h[2] = __hmax2(a, b);
  h[3] = __hfma2_relu(a, b, b);
  h[4] = h2sqrt(__habs2(a));
  mask[0] = __hgt2_mask(a, b);
  *ok = __hbge2(a, b) && !__hbgt2(a, b) && __hgt(a.x, b.x) && !__hisnan(a.y);
  atomicAdd(f, make_float4(1, 2, 3, 4));
  atomicAdd(g, make_float2(1, float(threadIdx.x)));
  h[5] = h2exp(__float2half2_rn(0.f));
}
void test_halves() {
  Device<__half2> h(6);
  Device<unsigned> mask(1);
  Device<float4> f(1);
  Device<float2> g(1);
  Device<int> ok(1);
  f.fill(0);
  g.fill(0);
  halves<<<1, 64>>>(h.p, mask.p, f.p, g.p, ok.p);
  auto v = h.host();
  auto is = [&](int i, float lo, float hi) { return __low2float(v[i]) == lo && __high2float(v[i]) == hi; };
  check(is(0, 1, 1) && is(1, 1, 0) && is(2, 1.5f, -2) && is(3, 2.5f, 2) && mask.host()[0] == 0xffff && ok.host()[0] &&
            is(5, 1, 1),
        "half2 comparisons and functions");
  check(f.host()[0].w == 256 && g.host()[0].y == 2016, "vector atomics");
}

int main(int argc, char**) {
  test_halves();
  test_block();
  test_groups();
  test_copies();
  test_math();
  test_fp8();
  if (argc > 1) {  // seeded: the data are used before they are there
    Device<float> x(256), y(256);
    x.fill(0);
    bulk<<<1, 256>>>(x.p, y.p, false);
  }
  MUST(cudaDeviceSynchronize());
  return failures() != 0;
}
