// Device-wide algorithms of CUB and Thrust, compared with the host.
#include <thrust/copy.h>
#include <thrust/device_vector.h>
#include <thrust/reduce.h>
#include <thrust/scan.h>
#include <thrust/sort.h>
#include <thrust/transform.h>
#include <algorithm>
#include <cub/cub.cuh>
#include <numeric>
#include "tests/ptxrun/tests/support.hpp"

struct Above {
  float t;
  __host__ __device__ bool operator()(float x) const { return x > t || x < -t; }
};
struct Square {
  __host__ __device__ float operator()(float x) const { return x * x; }
};

template <class F>
void twice(F f) {  // sizes the temporary storage, then runs
  size_t bytes = 0;
  MUST(f(nullptr, bytes));
  Device<char> temp(bytes);
  MUST(f(temp.p, bytes));
  MUST(cudaDeviceSynchronize());
}

void test_cub(int n, const std::string& size) {
  std::mt19937 r(3);
  std::vector<uint32_t> k(n);
  for (auto& x : k) x = r();
  std::vector<float> a = normals(n);
  Device<uint32_t> dk(k), dk2(n), dv(n), dv2(n);
  Device<float> da(a), da2(n);
  Device<int> count(1), bins(32);
  Device<uint64_t> total(1);
  twice([&](void* t, size_t& s) { return cub::DeviceReduce::Sum(t, s, dk.p, total.p, n); });
  uint64_t sum = 0;
  for (uint32_t x : k) sum += x;
  Device<uint32_t> most(1);
  twice([&](void* t, size_t& s) { return cub::DeviceReduce::Max(t, s, dk.p, most.p, n); });
  check(most.host()[0] == *std::max_element(k.begin(), k.end()), "DeviceReduce::Max " + size);
  check(uint32_t(total.host()[0]) == uint32_t(sum), "DeviceReduce::Sum " + size);
  twice([&](void* t, size_t& s) { return cub::DeviceScan::ExclusiveSum(t, s, dk.p, dk2.p, n); });
  std::vector<uint32_t> scan(n);
  std::exclusive_scan(k.begin(), k.end(), scan.begin(), 0u);
  check(dk2.host() == scan, "DeviceScan::ExclusiveSum " + size);
  twice([&](void* t, size_t& s) { return cub::DeviceSelect::If(t, s, da.p, da2.p, count.p, n, Above{1.5f}); });
  std::vector<float> kept, got = da2.host();
  std::copy_if(a.begin(), a.end(), std::back_inserter(kept), Above{1.5f});
  got.resize(size_t(count.host()[0]));
  check(got == kept, "DeviceSelect::If " + size);
  twice([&](void* t, size_t& s) { return cub::DeviceRadixSort::SortKeys(t, s, dk.p, dk2.p, n); });
  std::vector<uint32_t> sorted = k;
  std::sort(sorted.begin(), sorted.end());
  check(dk2.host() == sorted, "DeviceRadixSort::SortKeys " + size);
  std::vector<uint32_t> index(n);
  std::iota(index.begin(), index.end(), 0u);
  MUST(cudaMemcpy(dv.p, index.data(), size_t(n) * 4, cudaMemcpyHostToDevice));
  twice(
      [&](void* t, size_t& s) { return cub::DeviceRadixSort::SortPairsDescending(t, s, da.p, da2.p, dv.p, dv2.p, n); });
  std::stable_sort(index.begin(), index.end(), [&](uint32_t x, uint32_t y) { return a[x] > a[y]; });
  check(dv2.host() == index, "DeviceRadixSort::SortPairsDescending " + size);
  twice([&](void* t, size_t& s) { return cub::DeviceHistogram::HistogramEven(t, s, da.p, bins.p, 33, -4.f, 4.f, n); });
  std::vector<int> want(32);
  for (float x : a)
    if (x >= -4 && x < 4) ++want[size_t((x + 4) * 4)];
  check(bins.host() == want, "DeviceHistogram " + size);
}

void test_thrust(int n) {
  std::vector<float> a = normals(n, 5), s = a, squares, kept;
  thrust::device_vector<float> x = a, y(n);
  thrust::sort(x.begin(), x.end());
  std::sort(s.begin(), s.end());
  std::vector<float> got(n);
  thrust::copy(x.begin(), x.end(), got.begin());
  check(got == s, "thrust::sort");
  thrust::sort(x.begin(), x.end(), [] __device__(float p, float q) { return p > q; });
  thrust::copy(x.begin(), x.end(), got.begin());
  check(std::is_sorted(got.rbegin(), got.rend()), "thrust::sort with a comparison (merge sort)");
  thrust::copy(a.begin(), a.end(), x.begin());
  thrust::transform(x.begin(), x.end(), y.begin(), Square{});
  thrust::copy(y.begin(), y.end(), got.begin());
  bool same = true;
  for (int i = 0; i < n; ++i) same &= got[i] == a[i] * a[i];
  check(same, "thrust::transform");
  thrust::device_vector<int> ones(n, 3);
  check(thrust::reduce(ones.begin(), ones.end()) == 3 * n, "thrust::reduce");
  auto end = thrust::copy_if(x.begin(), x.end(), y.begin(), Above{1});
  std::copy_if(a.begin(), a.end(), std::back_inserter(kept), Above{1});
  got.resize(size_t(end - y.begin()));
  thrust::copy(y.begin(), end, got.begin());
  check(got == kept, "thrust::copy_if");
}

int main() {
  test_cub(1000, "small");
  test_cub(200001, "large");
  test_thrust(30000);
  return failures() != 0;
}
