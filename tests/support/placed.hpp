// Guarded arrays where a backend works.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <utility>

#include "kernels/base/place.hpp"
#include "tests/support/guarded.hpp"

namespace tw::test {

/// A guarded array where a backend works: the host's, or a copy on the device with the same alignment.
template <class T>
class Placed {
 public:
  Placed(const Exec& exec, Guarded<T> host) : exec_(exec), host_(std::move(host)) {
    exec_.batch = nullptr;  // copies come before what it gathers, or when it is closed
    if (exec.backend != Backend::cuda) return;
    device_ = allocate_block(memory_of(Residence::device, exec.device), host_.bytes().size());
    copy_bytes(exec_, host_.bytes(), {device_.get(), host_.bytes().size()});
  }

  std::span<T> span() {
    if (!device_) return host_.span();
    return {reinterpret_cast<T*>(device_.get() + host_.begin()), host_.span().size()};
  }

  /// What is there now, on the host.
  const Guarded<T>& fetch() {
    if (device_) {
      copy_bytes(exec_, {device_.get(), host_.bytes().size()}, host_.bytes());
      synchronize(exec_);
    }
    return host_;
  }

 private:
  Exec exec_;
  Guarded<T> host_;
  Block device_;
};

/// A copy of `values` where `exec` works, aligned as they are to 64 bytes.
template <class T>
Placed<T> placed_copy(const Exec& exec, std::span<const T> values) {
  Guarded<T> host(values.size(), T{}, reinterpret_cast<std::uintptr_t>(values.data()) % 64 / sizeof(T));
  std::copy(values.begin(), values.end(), host.span().begin());
  return Placed<T>(exec, std::move(host));
}

}  // namespace tw::test
