// Messages of tests in memory of a device, where the transport takes them when the host says so: what is given on the
// host goes there first, and what was received comes back when it is done.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "collectives/transport.hpp"
#include "kernels/cuda/device.hpp"
#include "kernels/cuda/device_buffer.hpp"
#include "kernels/cuda/stream.hpp"

namespace tw::test {

/// Memory that a transport may still use when its request is gone.
inline void keep_for_ever(std::unique_ptr<cuda::DeviceBuffer<std::byte>> buffer) {
  static std::mutex mutex;
  static auto& kept = *new std::vector<std::unique_ptr<cuda::DeviceBuffer<std::byte>>>;
  const std::lock_guard lock(mutex);
  kept.push_back(std::move(buffer));
}

/// One send or receive.
class DeviceMessage final : public Request::State {
 public:
  DeviceMessage(Transport& transport, Op op, std::shared_ptr<cuda::Stream> stream)
      : host_(op.bytes),
        receives_(op.kind == Op::Kind::receive),
        stream_(std::move(stream)),
        buffer_(std::make_unique<cuda::DeviceBuffer<std::byte>>(op.bytes.size())) {
    const Exec exec = place();
    if (!host_.empty()) cuda::copy<std::byte>(exec, host_, buffer_->span());
    cuda::synchronize(exec);
    op.bytes = buffer_->span();
    op.space = Space::device;
    request_ = transport.post(exec, {&op, 1});
  }
  ~DeviceMessage() override {
    if (!request_.done()) keep_for_ever(std::move(buffer_));
  }

  bool done() const override {
    if (!request_.done()) return false;
    if (receives_ && !fetched_ && !host_.empty()) {
      cuda::copy<std::byte>(place(), buffer_->span(), host_);
      cuda::synchronize(place());
    }
    return fetched_ = true;
  }
  std::size_t received_bytes(std::size_t op) const override { return request_.received_bytes(op); }

 private:
  Exec place() const { return {.backend = Backend::cuda, .stream = stream_->get()}; }

  std::span<std::byte> host_;
  bool receives_;
  mutable bool fetched_ = false;
  std::shared_ptr<cuda::Stream> stream_;
  std::unique_ptr<cuda::DeviceBuffer<std::byte>> buffer_;
  Request request_;
};

/// The messages of one rank, made and used on one thread.
class DeviceMessages {
 public:
  static bool suit(const Transport& transport) {
    const Caps caps = transport.caps();
    return caps.device_memory && !caps.stream_ordered;
  }
  Request post(Transport& transport, const Op& op) {
    return Request(std::make_shared<DeviceMessage>(transport, op, stream_));
  }

 private:
  cuda::CurrentDevice current_{0};
  std::shared_ptr<cuda::Stream> stream_ = std::make_shared<cuda::Stream>();
};

}  // namespace tw::test
