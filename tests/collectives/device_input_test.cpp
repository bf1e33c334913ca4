// What is handed over wrongly where gradients lie on a device: each is told what was wrong, and the step goes on.
#include <gtest/gtest.h>

#include <tightwire/error.hpp>

#include "kernels/cuda/device.hpp"
#include "kernels/cuda/stream.hpp"
#include "tests/support/exchange.hpp"
#include "tests/support/ranks.hpp"

namespace tw::test {
namespace {

CommunicatorOptions on_device(std::uint32_t device = 0) {
  CommunicatorOptions options;
  options.exec.backend = Backend::cuda;
  options.exec.device = device;
  return options;
}

// Without a driver, or without CUDA in the build, the error says so, and ranks on the host work all the same.
TEST(DeviceInput, ADeviceThatCannotBeUsedIsRefused) {
  auto transports = connect_threads(1, {.transport = "loopback"});
  const std::string missing = cuda::unavailable();
  const auto message =
      message_of<CudaError>([&] { Communicator(std::move(transports[0]), on_device(missing.empty() ? 63 : 0)); });
  EXPECT_NE(message.find(missing.empty() ? "no CUDA device 63" : missing), std::string::npos) << message;
  Communicator host(std::move(connect_threads(1, {.transport = "loopback"})[0]), {});
  EXPECT_EQ(host.ranks(), 1u);
}

TEST(DeviceInput, MisalignedGradientsAreRefused) {
  GroupSpec spec{.ranks = 1, .params = {{"w", 0, 1, 8, DType::f32}}, .devices = Devices::none};
  with_group(spec, [](Member& member) {
    std::vector<float> memory(9);
    std::byte* const odd = reinterpret_cast<std::byte*>(memory.data()) + 2;
    const Piece piece{&member.params()[0], 0, {odd, DType::f32, 8}};
    member.communicator().begin_step({0, 0.1, 1});
    const auto message = message_of<UsageError>([&] { member.communicator().all_reduce({0, {&piece, 1}}); });
    EXPECT_NE(message.find("aligned to 4 bytes"), std::string::npos) << message;
    EXPECT_NE(message.find("'w'"), std::string::npos) << message;
    member.communicator().end_step(soon());
  });
}

#ifdef TW_TEST_CUDA
TEST(DeviceInput, HostMemoryAndOtherDevicesAreRefused) {
  GroupSpec spec{.ranks = 2, .params = {{"w", 0, 1, 8, DType::f32}}, .devices = Devices::all};
  with_group(spec, [](Member& member) {
    std::vector<float> host(8);
    const Piece piece{&member.params()[0], 0, {host.data(), DType::f32, 8}};
    Communicator& communicator = member.communicator();
    communicator.begin_step({0, 0.1, 1});
    auto message = message_of<UsageError>([&] { communicator.all_reduce({0, {&piece, 1}}); });
    EXPECT_NE(message.find("'w' lies in pageable host memory"), std::string::npos) << message;
    const Exec elsewhere{.backend = Backend::cuda, .device = 63};
    const std::string own = std::to_string(device_of(member.rank()));
    Tensors tensors = gradients_of(member.params(), Values::integers, 0, member.rank());
    const auto pieces = member.pieces(0, tensors);
    message = message_of<UsageError>([&] { communicator.all_reduce(elsewhere, {0, pieces}); });
    EXPECT_NE(message.find("made on CUDA device 63; the communicator's is " + own), std::string::npos) << message;
    communicator.all_reduce({0, pieces});
    EXPECT_TRUE(communicator.end_step(soon()).committed) << "the step goes on";
  });
}

TEST(DeviceInput, AnotherStreamMayHaveMadeGradients) {
  GroupSpec spec{.ranks = 2, .params = {{"w", 0, 1, 8, DType::f32}}, .devices = Devices::all};
  with_group(spec, [](Member& member) {
    const cuda::Stream stream(device_of(member.rank()));
    const Exec made_by{.backend = Backend::cuda, .device = stream.device(), .stream = stream.get()};
    Tensors tensors = gradients_of(member.params(), Values::integers, 0, member.rank());
    const auto pieces = member.pieces(0, tensors);
    member.communicator().begin_step({0, 0.1, 1});
    Work work = member.communicator().all_reduce(made_by, {0, pieces});
    EXPECT_TRUE(member.communicator().verdict(soon()).commit);
    work.wait(soon());
    EXPECT_TRUE(member.communicator().end_step(soon()).committed);
  });
}

TEST(DeviceInput, AStreamOfAnotherDeviceIsRefused) {
  const cuda::Stream stream;
  EXPECT_NO_THROW(cuda::require_usable({.backend = Backend::cuda, .stream = stream.get()}));
  EXPECT_THROW(cuda::require_usable({.backend = Backend::cuda, .device = 5, .stream = stream.get()}), CudaError);
}
#endif

}  // namespace
}  // namespace tw::test
