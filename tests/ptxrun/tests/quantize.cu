// An int8 block quantiser with error feedback and an ordered compaction of |x| > t, compared with plain loops:
// shared memory, barriers, shuffles, ballots, dynamic shared memory, a template.
#include <algorithm>
#include <cmath>
#include "tests/ptxrun/tests/support.hpp"

template <int kWarps>
__global__ void __launch_bounds__(kWarps * 32)
    quantize_ef(const float4* g, const float4* e, float4* e2, int8_t* q, float* scale, long count4) {
  __shared__ float part[kWarps];
  long i = blockIdx.x * long(blockDim.x) + threadIdx.x;
  bool in = i < count4;
  float4 p = make_float4(0, 0, 0, 0);
  if (in) {
    float4 a = g[i], b = e[i];
    p = make_float4(a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w);
  }
  float m = fmaxf(fmaxf(fabsf(p.x), fabsf(p.y)), fmaxf(fabsf(p.z), fabsf(p.w)));
  for (int o = 16; o; o >>= 1) m = fmaxf(m, __shfl_xor_sync(~0u, m, o));
  if ((threadIdx.x & 31) == 0) part[threadIdx.x >> 5] = m;
  __syncthreads();
  m = part[0];
  for (int w = 1; w < kWarps; ++w) m = fmaxf(m, part[w]);
  float s = m > 0 ? m / 127.f : 1.f;
  if (threadIdx.x == 0) scale[blockIdx.x] = s;
  if (in) {
    float r[4] = {p.x, p.y, p.z, p.w};
    float4 n;
    float* nn = &n.x;
    for (int k = 0; k < 4; ++k) {
      float l = rintf(r[k] / s);
      q[4 * i + k] = (int8_t)l;
      nn[k] = r[k] - l * s;
    }
    e2[i] = n;
  }
}
__global__ void compact(const float* x, float t, long count, uint32_t* idx,
                        uint32_t* out_count) {  // one block: ballot ranks, warp totals in dynamic shared memory
  extern __shared__ unsigned totals[];
  unsigned lane = threadIdx.x & 31, warp = threadIdx.x >> 5, warps = blockDim.x >> 5, base = 0;
  for (long start = 0; start < count; start += blockDim.x) {
    long i = start + threadIdx.x;
    bool keep = i < count && fabsf(x[i]) > t;
    unsigned b = __ballot_sync(~0u, keep);
    if (lane == 0) totals[warp] = __popc(b);
    __syncthreads();
    unsigned before = base, all = 0;
    for (unsigned w = 0; w < warps; ++w) {
      if (w < warp) before += totals[w];
      all += totals[w];
    }
    if (keep) idx[before + __popc(b & ((1u << lane) - 1))] = uint32_t(i);
    base += all;
    __syncthreads();
  }
  if (threadIdx.x == 0) *out_count = base;
}

int main() {
  size_t n = 100004, count = (n / 4 + 255) / 256;
  std::vector<float> g = normals(n, 7), e = normals(n, 8);
  for (float& x : e) x *= .1f;
  Device<float> dg(g), de(e), de2(n), scale(count);
  Device<int8_t> dq(n);
  quantize_ef<8>
      <<<unsigned(count), 256>>>((const float4*)dg.p, (const float4*)de.p, (float4*)de2.p, dq.p, scale.p, long(n / 4));
  MUST(cudaDeviceSynchronize());
  auto e2 = de2.host(), s = scale.host();
  auto q = dq.host();
  size_t wrong = 0;
  for (size_t b = 0; b < count; ++b) {
    size_t lo = b * 1024, hi = std::min(n, lo + 1024);
    float m = 0;
    for (size_t i = lo; i < hi; ++i) m = std::max(m, std::fabs(g[i] + e[i]));
    float sc = m > 0 ? m / 127.f : 1.f;
    wrong += sc != s[b];
    for (size_t i = lo; i < hi; ++i) {
      float p = g[i] + e[i], l = rintf(p / sc);
      wrong += q[i] != int8_t(l) || e2[i] != p - l * sc;
    }
  }
  check(wrong == 0, "quantize_ef");
  Device<uint32_t> idx(n), c(1);
  compact<<<1, 256, 8 * sizeof(unsigned)>>>(dg.p, 2.f, long(n), idx.p, c.p);
  MUST(cudaDeviceSynchronize());
  auto found = idx.host();
  uint32_t k = 0, got = c.host()[0];
  wrong = 0;
  for (size_t i = 0; i < n; ++i)
    if (std::fabs(g[i]) > 2.f) {
      wrong += k >= got || found[k] != i;
      ++k;
    }
  check(wrong == 0 && k == got, "compact");
  return failures() != 0;
}
