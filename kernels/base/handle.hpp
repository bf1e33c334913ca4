// The one owner of C handles: destroys what it holds, once.
#pragma once

#include <utility>

namespace tw {

/// Owns a `Handle` (a pointer, or an integer with `Empty` for none) that `Destroy` gives back. Move-only.
template <class Handle, auto Destroy, Handle Empty = Handle{}>
class UniqueHandle {
 public:
  UniqueHandle() = default;
  explicit UniqueHandle(Handle handle) : handle_(handle) {}
  UniqueHandle(UniqueHandle&& other) noexcept : handle_(std::exchange(other.handle_, Empty)) {}
  UniqueHandle& operator=(UniqueHandle&& other) noexcept {
    if (this != &other) reset(std::exchange(other.handle_, Empty));
    return *this;
  }
  ~UniqueHandle() { reset(); }

  Handle get() const { return handle_; }
  explicit operator bool() const { return handle_ != Empty; }
  /// For functions that give a handle through a pointer. What was held is destroyed first.
  Handle* out() {
    reset();
    return &handle_;
  }
  void reset(Handle handle = Empty) {
    if (handle_ != Empty) Destroy(handle_);
    handle_ = handle;
  }
  /// Gives the handle up without destroying it.
  Handle release() { return std::exchange(handle_, Empty); }

 private:
  Handle handle_ = Empty;
};

}  // namespace tw
