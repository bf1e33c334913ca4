// What stands in for kernels/cuda in a build without CUDA: each entry says what to switch on.
#include "kernels/base/check.hpp"
#include "kernels/base/kernel.hpp"
#include "kernels/cuda/device.hpp"
#include "kernels/cuda/device_buffer.hpp"
#include "kernels/cuda/facts.hpp"
#include "kernels/cuda/graph.hpp"
#include "kernels/cuda/step_record.hpp"
#include "kernels/cuda/stream.hpp"
#include "kernels/cuda/timeline.hpp"
#include "kernels/cuda/timer.hpp"

namespace tw {
namespace {
constexpr const char* kMissing = "this build has no CUDA: configure with -DTW_CUDA=ON, which needs the CUDA toolkit";
[[noreturn]] void fail() { throw CudaError(kMissing); }
}  // namespace

void throw_no_cuda_kernel() { fail(); }

namespace cuda {
std::string summary() { return "not built in (configure with -DTW_CUDA=ON)"; }
std::string unavailable() { return kMissing; }

std::uint32_t device_count() { fail(); }

void require_usable(const Exec&) { fail(); }
void require_reachable(const Exec&, const void*, std::string_view) { fail(); }

CurrentDevice::CurrentDevice(std::uint32_t) { fail(); }
CurrentDevice::~CurrentDevice() = default;

void destroy_stream(void*) {}
Stream::Stream(std::uint32_t device) : device_(device) { fail(); }
void Stream::settle() const noexcept {}
void synchronize(const Exec&) { fail(); }

void destroy_event(void*) {}
Event::Event(std::uint32_t device) : device_(device) { fail(); }
void Event::record(const Exec&) { fail(); }
bool Event::reached() const { fail(); }
void Event::precede(const Exec&) const { fail(); }

struct Bell::State {};
Bell::Bell(std::uint32_t, std::function<void()>) { fail(); }
void Bell::silence() noexcept {}

Timeline::Timeline(const Exec& exec, std::function<void()> wake) : exec_(exec), bell_(0, std::move(wake)) { fail(); }
Timeline::~Timeline() = default;
Timeline::Mark Timeline::mark() { fail(); }
bool Timeline::reached(Mark) { fail(); }
void Timeline::settle() noexcept {}
void Timeline::settle(double) noexcept {}

DeviceFacts device_facts(std::uint32_t) { fail(); }

Timer::Timer(std::uint32_t device) : device_(device) { fail(); }
void Timer::start(const Exec&) { fail(); }
void Timer::stop(const Exec&) { fail(); }
double Timer::seconds() { fail(); }

void destroy_graph(void*) {}
Graph::Graph(const Exec&, const std::function<void()>&) { fail(); }
void Graph::launch(const Exec&) const { fail(); }

StepRecord::StepRecord(std::uint32_t) : memory_(nullptr, FreeBlock{}) { fail(); }
void StepRecord::set(const Exec&, std::uint64_t) { fail(); }

void* DeviceMemory::do_allocate(std::size_t, std::size_t) { fail(); }
void DeviceMemory::do_deallocate(void*, std::size_t, std::size_t) {}
void* PinnedMemory::do_allocate(std::size_t, std::size_t) { fail(); }
void PinnedMemory::do_deallocate(void*, std::size_t, std::size_t) {}
void fill_zero(const Exec&, std::span<std::byte>) { fail(); }
void copy_bytes(const Exec&, std::span<const std::byte>, std::span<std::byte>) { fail(); }
}  // namespace cuda

}  // namespace tw
