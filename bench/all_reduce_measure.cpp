// Measures one all-reduce. Contributions are bell-shaped (sums of eight uniform numbers) on a grid so coarse that sums
// over ranks need no rounding; the exact mean is then known, whatever the order of summation.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <exception>
#include <mutex>
#include <numeric>
#include <thread>

#include "bench/all_reduce.hpp"
#include "kernels/base/check.hpp"
#include "kernels/base/philox.hpp"

namespace tw {
namespace {

constexpr std::uint32_t kSeed = 20240521;

/// Sum of eight 16-bit numbers, centred: 19 bits with its sign, so that sums of 64 ranks fit the 24 bits of an f32.
int bell(const PhiloxCounter& words) {
  int sum = -4 * 65535;
  for (const std::uint32_t word : words) sum += static_cast<int>((word & 0xffff) + (word >> 16));
  return sum;
}

/// Bits to drop of each number so that sums of `ranks` stay exact.
int spare_bits(std::uint32_t ranks) { return std::max(0, static_cast<int>(std::bit_width(ranks - 1)) - 6); }

/// Grid steps: rank's contribution at element i.
int grid_value(std::uint32_t rank, std::uint32_t ranks, std::uint64_t i) {
  return bell(philox4x32({static_cast<std::uint32_t>(i), rank, 0, 0}, {kSeed, 0})) >> spare_bits(ranks);
}
float grid_step(std::uint32_t ranks) { return std::ldexp(1.0f, spare_bits(ranks) - 16); }

/// What one rank tells the others of a case, besides its seconds of every iteration.
struct RankReport {
  double encode_seconds = 0, comm_seconds = 0, decode_seconds = 0, relative_error = 0;
  std::uint64_t wire_bytes = 0, wrong = 0;
};

struct Comparison {
  double relative_error = 0;
  std::uint64_t wrong = 0;
};

Comparison compare(std::span<const float> got, std::span<const float> exact) {
  double error = 0, norm = 0;
  Comparison comparison;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double expected = exact[i % exact.size()];
    error += (got[i] - expected) * (got[i] - expected);
    norm += expected * expected;
    comparison.wrong += got[i] == exact[i % exact.size()] ? 0 : 1;
  }
  comparison.relative_error = norm > 0 ? std::sqrt(error / norm) : std::sqrt(error);
  return comparison;
}

/// One rank's side of a case.
class Measurement {
 public:
  Measurement(TransportPtr transport, const AllReduceCase& one)
      : case_(one),
        communicator_(std::move(transport), one.options),
        params_{{"data", 0, 1, one.count, DType::f32}},
        own_(contribution(communicator_.rank(), communicator_.ranks(), std::min(one.count, kPeriod))),
        gradient_(one.count) {
    communicator_.register_parameters(params_, plan_buckets(params_, UINT64_MAX));
  }

  AllReduceResult run() {
    const auto exact = exact_mean(communicator_.ranks(), std::min(case_.count, kPeriod));
    const std::uint64_t steps = case_.warmup + case_.iterations;
    for (std::uint64_t step = 0; step < steps; ++step) {
      if (step == case_.warmup) start_counting();
      one_step(step);
      if (step != 0 && step + 1 != steps) continue;
      const Comparison comparison = compare(gradient_, exact);
      report_.wrong += comparison.wrong;
      if (step == 0) report_.relative_error = comparison.relative_error;  // later ones depend on the memories
    }
    return combine();
  }

 private:
  Deadline deadline() const { return Deadline::in(case_.options.deadline_seconds); }

  void start_counting() {
    seconds_.clear();
    report_.encode_seconds = report_.comm_seconds = report_.decode_seconds = 0;
    report_.wire_bytes = 0;
  }

  void one_step(std::uint64_t step) {
    for (std::uint64_t i = 0; i < case_.count; i += own_.size())
      std::copy_n(own_.begin(), std::min<std::uint64_t>(own_.size(), case_.count - i),
                  gradient_.begin() + static_cast<std::ptrdiff_t>(i));
    const Piece piece{&params_[0], 0, {gradient_.data(), DType::f32, case_.count}};
    communicator_.barrier(deadline());
    const Stats before = communicator_.stats();
    const auto begin = Deadline::Clock::now();
    communicator_.begin_step({step, 1, 1});
    const Work work = communicator_.all_reduce({0, {&piece, 1}});
    const StepOutcome outcome = communicator_.end_step(deadline());
    seconds_.push_back(std::chrono::duration<double>(Deadline::Clock::now() - begin).count());
    TW_CHECK(outcome.committed, Error, "step ", step, " was not committed: ", outcome.reason);
    count(before, communicator_.stats());
  }

  void count(const Stats& before, const Stats& after) {
    report_.encode_seconds += after.waited_encode_seconds - before.waited_encode_seconds;
    report_.comm_seconds += after.waited_comm_seconds - before.waited_comm_seconds;
    report_.decode_seconds += after.waited_decode_seconds - before.waited_decode_seconds;
    report_.wire_bytes += after.sent_bytes - before.sent_bytes;
  }

  AllReduceResult combine() {
    std::vector<std::byte> blob(sizeof report_ + seconds_.size() * sizeof(double));
    std::memcpy(blob.data(), &report_, sizeof report_);
    std::memcpy(blob.data() + sizeof report_, seconds_.data(), seconds_.size() * sizeof(double));
    const auto all = communicator_.all_gather(blob, deadline());
    std::vector<double> slowest(seconds_.size(), 0);
    AllReduceResult result;
    for (const std::byte* from = all.data(); from != all.data() + all.size(); from += blob.size()) {
      RankReport report;
      std::memcpy(static_cast<void*>(&report), from, sizeof report);
      std::memcpy(seconds_.data(), from + sizeof report, seconds_.size() * sizeof(double));
      for (std::size_t i = 0; i < slowest.size(); ++i) slowest[i] = std::max(slowest[i], seconds_[i]);
      add(result, report);
    }
    summarise(result, std::move(slowest));
    return result;
  }

  void add(AllReduceResult& result, const RankReport& report) const {
    const double share = 1.0 / (communicator_.ranks() * static_cast<double>(seconds_.size()));
    result.encode_seconds += report.encode_seconds * share;
    result.comm_seconds += report.comm_seconds * share;
    result.decode_seconds += report.decode_seconds * share;
    result.wire_bytes = std::max(result.wire_bytes, report.wire_bytes / seconds_.size());
    result.relative_error = std::max(result.relative_error, report.relative_error);
    result.wrong += report.wrong;
  }

  static void summarise(AllReduceResult& result, std::vector<double> seconds) {
    std::sort(seconds.begin(), seconds.end());
    const double sum = std::accumulate(seconds.begin(), seconds.end(), 0.0);
    result.seconds = sum / static_cast<double>(seconds.size());
    result.lowest_seconds = seconds.front();
    result.highest_seconds = seconds.back();
    result.median_seconds = (seconds[seconds.size() / 2] + seconds[(seconds.size() - 1) / 2]) / 2;
  }

  AllReduceCase case_;
  Communicator communicator_;
  std::vector<Param> params_;
  std::vector<float> own_, gradient_;
  std::vector<double> seconds_;
  RankReport report_;
};

/// What the ranks' threads threw: the cause, not that the others then lost a peer.
class FirstError {
 public:
  void record(std::exception_ptr error, bool consequence) {
    const std::lock_guard lock(mutex_);
    if (!error_ || (consequence_ && !consequence)) {
      error_ = std::move(error);
      consequence_ = consequence;
    }
  }
  void rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  std::mutex mutex_;
  std::exception_ptr error_;
  bool consequence_ = false;
};

}  // namespace

std::vector<float> contribution(std::uint32_t rank, std::uint32_t ranks, std::uint64_t count) {
  std::vector<float> values(count);
  for (std::uint64_t i = 0; i < count; ++i)
    values[i] = static_cast<float>(grid_value(rank, ranks, i % kPeriod)) * grid_step(ranks);
  return values;
}

std::vector<float> exact_mean(std::uint32_t ranks, std::uint64_t count) {
  std::vector<float> mean(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    int sum = 0;
    for (std::uint32_t rank = 0; rank < ranks; ++rank) sum += grid_value(rank, ranks, i % kPeriod);
    mean[i] = static_cast<float>(sum) * grid_step(ranks) / static_cast<float>(ranks);
  }
  return mean;
}

AllReduceResult measure_all_reduce(TransportPtr transport, const AllReduceCase& one) {
  return Measurement(std::move(transport), one).run();
}

AllReduceResult measure_on_threads(std::uint32_t ranks, const ConnectOptions& connect, const AllReduceCase& one) {
  auto transports = connect_threads(ranks, connect);
  std::vector<AllReduceResult> results(ranks);
  FirstError error;
  {
    std::vector<std::jthread> threads;
    for (std::uint32_t rank = 0; rank < ranks; ++rank)
      threads.emplace_back([&, rank] {
        try {
          results[rank] = measure_all_reduce(std::move(transports[rank]), one);
        } catch (const PeerError&) {
          error.record(std::current_exception(), true);
        } catch (...) {
          error.record(std::current_exception(), false);
        }
      });
  }
  error.rethrow();
  return results[0];
}

}  // namespace tw
