#include "bench/device_clock.hpp"

#include <algorithm>
#include <limits>

#include "kernels/cast.hpp"
#include "kernels/clear.hpp"
#include "kernels/inspect.hpp"

namespace tw {
namespace {

Block device_block(const Exec& exec, std::uint64_t bytes) {
  Block block = allocate_block(memory_of(Residence::device, exec.device), bytes);
  fill_zero(exec, {block.get(), bytes});
  return block;
}

std::span<float> floats(const Block& block, std::uint64_t bytes) {
  return {reinterpret_cast<float*>(block.get()), bytes / sizeof(float)};
}

// Twice the cache, so that whatever it keeps, it is not what was there.
std::uint64_t bytes_that_fill(const cuda::DeviceFacts& facts) {
  return facts.interpreted ? 4096 : 2 * facts.cache_bytes;  // where nothing is timed nothing needs to be cold
}

double median_seconds(DeviceClock& clock, std::uint64_t rounds, const std::function<void()>& work) {
  work();  // loads code
  std::vector<double> seconds;
  for (std::uint64_t round = 0; round < rounds; ++round) seconds.push_back(clock.seconds(work));
  return median_of(seconds);
}

}  // namespace

DeviceClock::DeviceClock(std::uint32_t device)
    : facts_(cuda::device_facts(device)),
      stream_(device),
      exec_{.backend = Backend::cuda, .device = device, .stream = stream_.get()},
      timer_(device),
      cold_bytes_(bytes_that_fill(facts_)),
      cold_(device_block(exec_, cold_bytes_)),
      status_(device_block(exec_, sizeof(std::uint32_t))) {}

// By reading: what was written would still be on its way to memory while the work is timed. The host enqueues the work
// meanwhile, so that the device need not wait for it.
void DeviceClock::make_cold() {
  Exec exec = exec_;
  exec.status = reinterpret_cast<std::uint32_t*>(status_.get());
  inspect(exec, floats(cold_, cold_bytes_));
}

double DeviceClock::seconds(const std::function<void()>& work) {
  make_cold();
  timer_.start(exec_);
  work();
  timer_.stop(exec_);
  const double seconds = timer_.seconds();
  return tells_time() ? seconds : std::numeric_limits<double>::quiet_NaN();
}

Bandwidth measure_bandwidth(DeviceClock& clock, std::uint64_t bytes, std::uint64_t rounds) {
  const Block from_block = device_block(clock.exec(), bytes), to_block = device_block(clock.exec(), bytes);
  const Block status = device_block(clock.exec(), sizeof(std::uint32_t));
  const std::span<float> from = floats(from_block, bytes), to = floats(to_block, bytes);
  Exec exec = clock.exec();
  exec.status = reinterpret_cast<std::uint32_t*>(status.get());
  const auto rate = [&](const std::function<void()>& work) {
    return static_cast<double>(from.size_bytes()) / median_seconds(clock, rounds, work);
  };
  Bandwidth measured;
  measured.read = rate([&] { inspect(exec, from); });
  measured.written = rate([&] { clear_bytes(exec, std::as_writable_bytes(to)); });
  measured.copied = std::max(rate([&] { copy<float>(exec, from, to); }), rate([&] { copy_values(exec, from, to); }));
  synchronize(exec);  // before its memory goes
  return measured;
}

std::string described(const cuda::DeviceFacts& facts) {
  return facts.name + " (" + facts.architecture + "), CUDA " + facts.runtime + ", driver " + facts.driver;
}

}  // namespace tw
