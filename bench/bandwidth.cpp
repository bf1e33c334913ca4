#include "bench/bandwidth.hpp"

#include <algorithm>
#include <barrier>
#include <chrono>
#include <cstring>
#include <exception>
#include <mutex>
#include <thread>

#include "kernels/inspect.hpp"

namespace tw {

struct Team::Shared {
  explicit Shared(std::uint32_t threads) : begin(threads), end(threads) {}
  std::barrier<> begin, end;
  const std::function<void(std::uint32_t)>* work = nullptr;  // null: go home
  std::exception_ptr failure;
  std::mutex failure_mutex;
  std::vector<std::jthread> others;

  void work_as(std::uint32_t thread) {
    try {
      (*work)(thread);
    } catch (...) {
      const std::lock_guard lock(failure_mutex);
      if (!failure) failure = std::current_exception();
    }
  }
};

Team::Team(std::uint32_t threads) : shared_(std::make_unique<Shared>(threads)) {
  for (std::uint32_t thread = 1; thread < threads; ++thread)
    shared_->others.emplace_back([shared = shared_.get(), thread] {
      while (true) {
        shared->begin.arrive_and_wait();
        if (shared->work == nullptr) return;
        shared->work_as(thread);
        shared->end.arrive_and_wait();
      }
    });
}

Team::~Team() {
  shared_->work = nullptr;
  shared_->begin.arrive_and_wait();
}

std::uint32_t Team::threads() const { return static_cast<std::uint32_t>(shared_->others.size()) + 1; }

void Team::run(const std::function<void(std::uint32_t)>& work) {
  shared_->failure = nullptr;
  shared_->work = &work;
  shared_->begin.arrive_and_wait();
  shared_->work_as(0);
  shared_->end.arrive_and_wait();
  if (shared_->failure) std::rethrow_exception(shared_->failure);
}

double Team::seconds(const std::function<void(std::uint32_t)>& work) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point begin = Clock::now();
  run(work);
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

std::uint32_t all_cores() { return std::max(1u, std::thread::hardware_concurrency()); }

double median_of(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

Part part_of(std::uint64_t count, std::uint64_t granule, std::uint32_t thread, std::uint32_t threads) {
  if (granule == 0) return {0, thread == 0 ? count : 0};
  const std::uint64_t granules = (count + granule - 1) / granule;
  const std::uint64_t begin = std::min(count, granules * thread / threads * granule);
  return {begin, std::min(count, granules * (thread + 1) / threads * granule) - begin};
}

double seconds_to_read(Team& team, std::span<const float> from) {
  return team.seconds([&](std::uint32_t thread) {
    const Part part = part_of(from.size(), 1024, thread, team.threads());
    std::uint32_t status = 0;  // looking for the largest magnitude is the least that reads every value
    inspect({.status = &status}, from.subspan(part.first, part.count));
  });
}

double seconds_to_write(Team& team, std::span<float> to) {
  return team.seconds([&](std::uint32_t thread) {
    const Part part = part_of(to.size(), 1024, thread, team.threads());
    std::memset(to.data() + part.first, 1, part.count * sizeof(float));
  });
}

double seconds_to_copy(Team& team, std::span<const float> from, std::span<float> to) {
  return team.seconds([&](std::uint32_t thread) {
    const Part part = part_of(to.size(), 1024, thread, team.threads());
    std::memcpy(to.data() + part.first, from.data() + part.first, part.count * sizeof(float));
  });
}

}  // namespace tw
