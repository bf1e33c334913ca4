// Ranks that speak over the transport `nccl` on the stand-in for NCCL, each with a stream and memory of its device.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "collectives/thread_bootstrap.hpp"
#include "collectives/transports/table.hpp"
#include "kernels/cuda/device_buffer.hpp"
#include "kernels/cuda/stream.hpp"
#include "tests/support/messages.hpp"
#include "tests/support/mock_nccl.hpp"
#include "tests/support/ranks.hpp"

namespace tw::test {

using DeviceBytes = cuda::DeviceBuffer<std::byte>;

/// One rank's transport and stream.
class NcclRank {
 public:
  explicit NcclRank(TransportPtr transport) : transport_(std::move(transport)), speaker_(*transport_) {
    exec.backend = Backend::cuda;
    exec.stream = stream_.get();
  }

  Transport& transport() { return *transport_; }
  Speaker& speaker() { return speaker_; }
  std::uint32_t rank() const { return transport_->rank(); }
  std::uint32_t ranks() const { return transport_->ranks(); }
  void leave() { transport_.reset(); }

  std::unique_ptr<DeviceBytes> upload(const Bytes& bytes) const {
    auto device = std::make_unique<DeviceBytes>(bytes.size());
    if (!bytes.empty()) cuda::copy<std::byte>(exec, bytes, device->span());
    return device;
  }
  Bytes download(const DeviceBytes& device) const {
    Bytes bytes(device.span().size());
    if (!bytes.empty()) cuda::copy<std::byte>(exec, device.span(), bytes);
    cuda::synchronize(exec);
    return bytes;
  }

  Request post(const std::vector<Op>& ops) { return transport_->post(exec, ops); }
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

/// Makes progress until a group that was posted has started, as it must have before anything else is posted.
inline Request started(NcclRank& self, Request request) {
  while (!request.started()) self.transport().progress(Deadline::in(60));
  return request;
}

class NcclTest : public testing::Test {
 public:
  /// Connects, runs `body(rank)` and leaves, each rank on a thread of its own.
  static void run(std::uint32_t ranks, const std::function<void(NcclRank&)>& body, ConnectOptions options = kOptions) {
    const auto meeting = ThreadBootstrap::meeting(ranks);
    on_ranks(ranks, [&](std::uint32_t rank) {
      ThreadBootstrap bootstrap(meeting, rank);
      NcclRank self(connect_over(bootstrap, options));
      body(self);
    });
  }
  inline static const ConnectOptions kOptions{.transport = "nccl:control=(loopback)"};

 protected:
  void SetUp() override { MockNccl::reset(); }
  void TearDown() override {
    EXPECT_EQ(MockNccl::communicators(), 0u);
    EXPECT_EQ(MockNccl::violations(), std::vector<std::string>());
  }
};

}  // namespace tw::test
