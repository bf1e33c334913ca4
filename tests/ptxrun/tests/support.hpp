// Shared by the test programs: named checks, device arrays.
#pragma once
#include <cuda_runtime.h>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

inline int& failures() {
  static int n = 0;
  return n;
}
inline void check(bool ok, const std::string& what) {
  if (ok) {
    std::printf("ok %s\n", what.c_str());
    return;
  }
  std::printf("FAILED %s\n", what.c_str());
  ++failures();
}
inline void must(cudaError_t e, const char* what) {
  if (e == cudaSuccess) return;
  std::printf("FAILED %s: %s\n", what, cudaGetErrorString(e));
  std::exit(1);
}
#define MUST(call) must(call, #call)

template <class T>
struct Device {
  T* p = nullptr;
  size_t n;
  explicit Device(size_t n) : n(n) { MUST(cudaMalloc(&p, n * sizeof(T))); }
  explicit Device(const std::vector<T>& v) : Device(v.size()) {
    MUST(cudaMemcpy(p, v.data(), n * sizeof(T), cudaMemcpyHostToDevice));
  }
  Device(const Device&) = delete;
  ~Device() { cudaFree(p); }
  std::vector<T> host() const {
    std::vector<T> v(n);
    MUST(cudaMemcpy(v.data(), p, n * sizeof(T), cudaMemcpyDeviceToHost));
    return v;
  }
  void fill(int byte) { MUST(cudaMemset(p, byte, n * sizeof(T))); }
};

inline std::vector<float> normals(size_t n, unsigned seed = 1) {
  std::mt19937 r(seed);
  std::normal_distribution<float> d;
  std::vector<float> v(n);
  for (float& x : v) x = d(r);
  return v;
}
inline unsigned blocks(size_t n, unsigned threads) { return unsigned((n + threads - 1) / threads); }
