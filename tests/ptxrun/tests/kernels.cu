// Kernels of the kind a gradient compressor has, compared with the host.
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <algorithm>
#include <bit>
#include <cmath>
#include "tests/ptxrun/tests/support.hpp"

// ---- exact top-k by radix select: three passes of histograms over the magnitude, one block
__global__ void radix_select(const float* x, unsigned n, unsigned k, unsigned* threshold, unsigned* above) {
  __shared__ unsigned bins[2048], prefix, remaining;
  if (threadIdx.x == 0) {
    prefix = 0;
    remaining = k;
  }
  const int shifts[3] = {20, 9, 0}, widths[3] = {11, 11, 9};
  for (int pass = 0; pass < 3; ++pass) {
    for (unsigned i = threadIdx.x; i < 2048; i += blockDim.x) bins[i] = 0;
    __syncthreads();
    unsigned high = shifts[pass] + widths[pass];
    for (unsigned i = threadIdx.x; i < n; i += blockDim.x) {
      unsigned bits = __float_as_uint(x[i]) & 0x7fffffff;
      if (high >= 31 || bits >> high == prefix >> high)
        atomicAdd(&bins[(bits >> shifts[pass]) & ((1u << widths[pass]) - 1)], 1);
    }
    __syncthreads();
    if (threadIdx.x == 0) {
      unsigned left = remaining, b = (1u << widths[pass]) - 1;
      for (; bins[b] < left; --b) left -= bins[b];
      remaining = left;
      prefix |= b << shifts[pass];
    }
    __syncthreads();
  }
  if (threadIdx.x == 0) {
    *threshold = prefix;
    *above = k - remaining;
  }
}
void test_select() {
  unsigned n = 50000, k = 500;
  auto x = normals(n);
  Device<float> d(x);
  Device<unsigned> t(1), above(1);
  radix_select<<<1, 1024>>>(d.p, n, k, t.p, above.p);
  std::vector<unsigned> m(n);
  for (unsigned i = 0; i < n; ++i) m[i] = std::bit_cast<unsigned>(x[i]) & 0x7fffffff;
  std::nth_element(m.begin(), m.begin() + k - 1, m.end(), std::greater<>());
  check(t.host()[0] == m[k - 1] &&
            above.host()[0] == unsigned(std::count_if(m.begin(), m.end(), [&](unsigned v) { return v > m[k - 1]; })),
        "top-k by radix select");
}

// ---- Philox 4x32-10 and stochastic rounding to int8
__host__ __device__ inline void philox(unsigned c[4], unsigned k0, unsigned k1) {
  for (int r = 0; r < 10; ++r) {
    uint64_t a = uint64_t(0xD2511F53u) * c[0], b = uint64_t(0xCD9E8D57u) * c[2];
    unsigned n0 = unsigned(b >> 32) ^ c[1] ^ k0, n2 = unsigned(a >> 32) ^ c[3] ^ k1;
    c[1] = unsigned(b);
    c[3] = unsigned(a);
    c[0] = n0;
    c[2] = n2;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
}
__host__ __device__ inline int8_t stochastic(float x, unsigned random) {
  float f = floorf(x), u = float(random >> 8) * 0x1p-24f;
  return int8_t(f + (x - f > u ? 1.f : 0.f));
}
__global__ void philox_round(const float* x, int8_t* q, unsigned n) {
  for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < n / 4; i += gridDim.x * blockDim.x) {  // grid stride
    unsigned c[4] = {i, 7, 0, 0};
    philox(c, 42, 43);
    for (int j = 0; j < 4; ++j) q[4 * i + j] = stochastic(x[4 * i + j] * 20.f, c[j]);
  }
}
void test_philox() {
  unsigned n = 4096;
  auto x = normals(n);
  Device<float> d(x);
  Device<int8_t> q(n);
  philox_round<<<3, 96>>>(d.p, q.p, n);
  std::vector<int8_t> want(n);
  for (unsigned i = 0; i < n / 4; ++i) {
    unsigned c[4] = {i, 7, 0, 0};
    philox(c, 42, 43);
    for (int j = 0; j < 4; ++j) want[4 * i + j] = stochastic(x[4 * i + j] * 20.f, c[j]);
  }
  check(q.host() == want, "Philox, stochastic rounding");
}

// ---- one bit each by ballot, and decode-and-add
__global__ void pack_signs(const float* x, unsigned* bits, unsigned n) {
  unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  unsigned b = __ballot_sync(~0u, i < n && x[i] < 0);
  if ((threadIdx.x & 31) == 0 && i < n) bits[i / 32] = b;
}
__global__ void unpack_add(const unsigned* bits, float* y, unsigned n, float scale) {
  unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] += bits[i / 32] >> (i & 31) & 1 ? -scale : scale;
}
void test_pack() {
  unsigned n = 10007;
  auto x = normals(n);
  Device<float> d(x), y(n);
  Device<unsigned> bits((n + 31) / 32);
  y.fill(0);
  pack_signs<<<blocks(n, 256), 256>>>(d.p, bits.p, n);
  unpack_add<<<blocks(n, 256), 256>>>(bits.p, y.p, n, .5f);
  auto got = y.host();
  bool ok = true;
  for (unsigned i = 0; i < n; ++i) ok &= got[i] == (x[i] < 0 ? -.5f : .5f);
  check(ok, "one bit each by ballot, decode and add");
}

// ---- sparse scatter-add: collisions, several types of atomics
__global__ void scatter(const unsigned* index, const float* v, float* y, double* z, __half2* h,
                        unsigned long long* most, unsigned n) {
  unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  atomicAdd(y + index[i], v[i]);
  atomicAdd(z + index[i], double(v[i]));
  atomicAdd(h, __floats2half2_rn(1.f, 0.5f));
  atomicMax(most, (unsigned long long)(index[i]) << 32 | i);
  unsigned* flag = reinterpret_cast<unsigned*>(most + 1);
  while (atomicCAS(flag, 0u, 1u) != 0u) {
  }  // a lock: lanes of one warp wait for each other
  most[2] += 1;
  __threadfence();
  atomicExch(flag, 0u);
}
void test_scatter() {
  unsigned n = 1000;
  std::mt19937 r(1);
  std::vector<unsigned> index(n);
  std::vector<float> v(n);
  for (unsigned i = 0; i < n; ++i) {
    index[i] = r() % 50;
    v[i] = float(int(r() % 100));
  }
  Device<unsigned> di(index);
  Device<float> dv(v), y(50);
  Device<double> z(50);
  Device<__half2> h(1);
  Device<unsigned long long> most(3);
  y.fill(0);
  z.fill(0);
  h.fill(0);
  most.fill(0);
  scatter<<<blocks(n, 128), 128>>>(di.p, dv.p, y.p, z.p, h.p, most.p, n);
  std::vector<float> want(50);
  unsigned long long best = 0;
  for (unsigned i = 0; i < n; ++i) {
    want[index[i]] += v[i];
    best = std::max(best, (unsigned long long)(index[i]) << 32 | i);
  }
  auto zz = z.host();
  check(y.host() == want && std::equal(want.begin(), want.end(), zz.begin()) && most.host()[0] == best,
        "scatter-add with atomics");
  check(most.host()[2] == n, "a lock taken by lanes of one warp");
  check(__low2float(h.host()[0]) == 1000.f && __high2float(h.host()[0]) == 500.f, "atomicAdd of half2");
}

// ---- CRC-32C with a table in constant memory, a device function, dynamic shared memory beyond 48 KB
__constant__ unsigned crc_table[256];
__device__ __noinline__ unsigned crc_byte(unsigned crc, unsigned char b) {
  return crc >> 8 ^ crc_table[(crc ^ b) & 255];
}
__global__ void crc_chunks(const unsigned char* p, unsigned chunk, unsigned* out) {
  extern __shared__ unsigned char staged[];
  unsigned size = chunk * blockDim.x;
  for (unsigned i = threadIdx.x; i < size; i += blockDim.x) staged[i] = p[size_t(blockIdx.x) * size + i];
  __syncthreads();
  unsigned c = ~0u;
  for (unsigned i = 0; i < chunk; ++i) c = crc_byte(c, staged[threadIdx.x * chunk + i]);
  out[blockIdx.x * blockDim.x + threadIdx.x] = ~c;
}
void test_crc() {
  unsigned table[256];
  for (unsigned i = 0; i < 256; ++i) {
    unsigned c = i;
    for (int k = 0; k < 8; ++k) c = c & 1 ? c >> 1 ^ 0x82F63B78u : c >> 1;
    table[i] = c;
  }
  MUST(cudaMemcpyToSymbol(crc_table, table, sizeof table));
  unsigned chunk = 1001, threads = 64, shared = chunk * threads;
  std::vector<unsigned char> p(2 * shared);
  std::mt19937 r(4);
  for (auto& b : p) b = (unsigned char)(r());
  Device<unsigned char> d(p);
  Device<unsigned> out(2 * threads);
  crc_chunks<<<2, threads, shared>>>(d.p, chunk, out.p);
  check(cudaGetLastError() == cudaErrorInvalidValue, "63 KB of shared memory without the attribute refused");
  MUST(cudaFuncSetAttribute(crc_chunks, cudaFuncAttributeMaxDynamicSharedMemorySize, int(shared)));
  crc_chunks<<<2, threads, shared>>>(d.p, chunk, out.p);
  auto got = out.host();
  bool ok = true;
  for (unsigned t = 0; t < 2 * threads; ++t) {
    unsigned c = ~0u;
    for (unsigned i = 0; i < chunk; ++i) c = c >> 8 ^ table[(c ^ p[t * chunk + i]) & 255];
    ok &= got[t] == ~c;
  }
  check(ok, "CRC-32C: constant table, device function, 63 KB of shared memory");
}

// ---- conversions through the headers, both directions
template <class H>
__device__ float round_trip(float v);
template <>
__device__ float round_trip<__half>(float v) {
  return __half2float(__float2half_rn(v));
}
template <>
__device__ float round_trip<__nv_bfloat16>(float v) {
  return __bfloat162float(__float2bfloat16_rn(v));
}
template <class H>
__global__ void convert(const float* x, float* y, unsigned n) {
  unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = round_trip<H>(x[i]);
}
void test_convert() {
  unsigned n = 5000;
  auto x = normals(n);
  for (unsigned i = 0; i < n; ++i) x[i] = std::ldexp(x[i], int(i % 44) - 26);
  Device<float> d(x), h(n), b(n);
  convert<__half><<<blocks(n, 128), 128>>>(d.p, h.p, n);
  convert<__nv_bfloat16><<<blocks(n, 128), 128>>>(d.p, b.p, n);
  auto hh = h.host(), bb = b.host();
  bool ok = true;
  for (unsigned i = 0; i < n; ++i)
    ok &= hh[i] == __half2float(__float2half_rn(x[i])) && bb[i] == __bfloat162float(__float2bfloat16_rn(x[i]));
  check(ok, "fp16 and bf16 conversions");
}

// ---- warps: reductions by shuffle, redux and match; divergent groups; indirect calls; indexed branches; 2-d blocks
__device__ int twice(int v) { return 2 * v; }
__device__ int negated(int v) { return -v; }
__device__ int plus_one(int v) { return v + 1; }
__global__ void warps(const int* x, int* out, int which) {
  unsigned t = threadIdx.y * blockDim.x + threadIdx.x, lane = t & 31;
  int v = x[t], s = v;
  for (int o = 16; o; o >>= 1) s += __shfl_down_sync(~0u, s, o);
  if (lane == 0) out[0] = s;
  int r = __reduce_add_sync(~0u, v), m = __reduce_max_sync(~0u, v);
  if (lane == 1) {
    out[1] = r;
    out[2] = m;
  }
  unsigned same = __match_any_sync(~0u, v & 3);
  if (lane == 2) out[3] = int(same);
  int part;
  if (lane < 10)
    part = __reduce_add_sync(0x3ff, v);
  else
    part = __reduce_add_sync(0xfffffc00, v);
  if (lane == 3) out[4] = part;
  if (lane == 20) out[5] = part;
  int (*f)(int) = (t + which) % 3 == 0 ? twice : (t + which) % 3 == 1 ? negated : plus_one;
  out[8 + t] = f(v);
  int c;
  switch (v & 7) {
    case 0:
      c = v * 3;
      break;
    case 1:
      c = v ^ 99;
      break;
    case 2:
      c = v / 7;
      break;
    case 3:
      c = 5;
      break;
    case 4:
      c = v % 11;
      break;
    case 5:
      c = -v;
      break;
    case 6:
      c = v << 3;
      break;
    default:
      c = v - 8;
  }
  out[40 + t] = c;
}
void test_warps() {
  std::vector<int> x(32), want(72);
  for (int i = 0; i < 32; ++i) x[i] = i * 37 % 101 - 20;
  Device<int> d(x), out(72);
  out.fill(0);
  warps<<<1, dim3(8, 4)>>>(d.p, out.p, 1);
  for (int i = 0; i < 32; ++i) {
    want[0] += x[i];
    want[1] += x[i];
    want[2] = i ? std::max(want[2], x[i]) : x[i];
    want[3] |= int(((x[i] & 3) == (x[2] & 3))) << i;
    want[i < 10 ? 4 : 5] += x[i];
    want[8 + i] = (i + 1) % 3 == 0 ? 2 * x[i] : (i + 1) % 3 == 1 ? -x[i] : x[i] + 1;
    int v = x[i];
    int c[8] = {v * 3, v ^ 99, v / 7, 5, v % 11, -v, v << 3, v - 8};
    want[40 + i] = c[v & 7];
  }
  check(out.host() == want, "warp reductions, groups, function pointers, switches");
}

// ---- the last block finishes: fences, a counter in global memory, an early exit, __syncthreads_or
__device__ unsigned done;
__global__ void sum_all(const int* x, int* partial, int* total, unsigned n) {
  __shared__ int s[128];
  __shared__ bool last;
  unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  s[threadIdx.x] = i < n ? x[i] : 0;
  __syncthreads();
  for (unsigned o = 64; o; o >>= 1) {
    if (threadIdx.x < o) s[threadIdx.x] += s[threadIdx.x + o];
    __syncthreads();
  }
  if (threadIdx.x == 0) {
    partial[blockIdx.x] = s[0];
    __threadfence();
    last = atomicAdd(&done, 1) == gridDim.x - 1;
  }
  int any = __syncthreads_or(i < n && x[i] == 77), count = __syncthreads_count(threadIdx.x < 5);
  if (threadIdx.x == 0 && (any != 0) != (blockIdx.x == 2)) atomicAdd(total, 1 << 20);
  if (count != 5 || !last) return;
  if (threadIdx.x == 0)
    for (unsigned b = 0; b < gridDim.x; ++b) atomicAdd(total, partial[b]);
}
void test_last_block() {
  unsigned n = 1000;
  std::vector<int> x(n);
  int sum = 0;
  for (unsigned i = 0; i < n; ++i) sum += x[i] = i == 300 ? 77 : int(i % 13);
  Device<int> d(x), partial(8), total(1);
  total.fill(0);
  sum_all<<<8, 128>>>(d.p, partial.p, total.p, n);
  check(total.host()[0] == sum, "last block sums the partial sums");
}

int main() {
  test_select();
  test_philox();
  test_pack();
  test_scatter();
  test_crc();
  test_convert();
  test_warps();
  test_last_block();
  MUST(cudaDeviceSynchronize());
  return failures() != 0;
}
