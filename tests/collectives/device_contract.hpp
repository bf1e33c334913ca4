// The contract of transports for messages in memory of devices, written once. A transport that takes them joins by
// instantiating it:
//
//   INSTANTIATE_TEST_SUITE_P(Nccl, DeviceContract, testing::Values(DeviceTransport{"nccl:control=(loopback)"}));
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "collectives/thread_bootstrap.hpp"
#include "collectives/transports/table.hpp"
#include "kernels/cuda/device.hpp"
#include "kernels/cuda/device_buffer.hpp"
#include "kernels/cuda/stream.hpp"
#include "tests/support/messages.hpp"
#include "tests/support/ranks.hpp"

namespace tw::test {

using DeviceBytes = cuda::DeviceBuffer<std::byte>;

/// One rank's transport and stream, used on one thread.
class DeviceRank {
 public:
  /// `device` is the thread's current one.
  explicit DeviceRank(TransportPtr transport, std::uint32_t device = 0)
      : exec{.backend = Backend::cuda, .device = device},
        stream_(exec.device),
        transport_(std::move(transport)),
        speaker_(*transport_) {
    exec.stream = stream_.get();
  }

  Transport& transport() { return *transport_; }
  Speaker& speaker() { return speaker_; }
  std::uint32_t rank() const { return transport_->rank(); }
  std::uint32_t ranks() const { return transport_->ranks(); }
  void leave() { transport_.reset(); }

  std::unique_ptr<DeviceBytes> upload(const Bytes& bytes) const {
    auto device = std::make_unique<DeviceBytes>(bytes.size(), exec.device);
    if (!bytes.empty()) cuda::copy<std::byte>(exec, bytes, device->span());
    return device;
  }
  Bytes download(const DeviceBytes& device) const {
    Bytes bytes(device.span().size());
    if (!bytes.empty()) cuda::copy<std::byte>(exec, device.span(), bytes);
    cuda::synchronize(exec);
    return bytes;
  }

  /// What was uploaded is there where the transport wants it to be.
  Request post(const std::vector<Op>& ops) {
    if (!transport_->caps().stream_ordered) cuda::synchronize(exec);
    return transport_->post(exec, ops);
  }
  static Op send(std::uint32_t peer, const DeviceBytes& bytes, std::uint64_t tag = 0) {
    return {Op::Kind::send, peer, Tag{tag}, bytes.span(), Space::device};
  }
  static Op receive(std::uint32_t peer, const DeviceBytes& room, std::uint64_t tag = 0) {
    return {Op::Kind::receive, peer, Tag{tag}, room.span(), Space::device};
  }

  Exec exec;

 private:
  cuda::Stream stream_;
  TransportPtr transport_;
  Speaker speaker_;
};

/// Connects, runs `body(rank)` and leaves, each rank on a thread of its own. `options` of the rank, the last for all
/// others.
void run_on_devices(std::uint32_t ranks, const std::function<void(DeviceRank&)>& body,
                    const std::vector<ConnectOptions>& options);

/// Every rank sends every rank, itself too, `bytes` bytes in one group.
void exchange_all(DeviceRank& self, std::size_t bytes);

struct DeviceTransport {
  const char* spec;
  void (*before)() = nullptr;
  void (*after)() = nullptr;
};
void PrintTo(const DeviceTransport& transport, std::ostream* out);

class DeviceContract : public testing::TestWithParam<DeviceTransport> {
 protected:
  void SetUp() override {
    if (GetParam().before != nullptr) GetParam().before();
  }
  void TearDown() override {
    if (GetParam().after != nullptr) GetParam().after();
  }
  static void run(std::uint32_t ranks, const std::function<void(DeviceRank&)>& body) {
    run_on_devices(ranks, body, {{.transport = GetParam().spec}});
  }
};

}  // namespace tw::test
