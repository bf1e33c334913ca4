// Measures one all-reduce, of a tensor on the host or on a device, by the host's clock.
#include <algorithm>
#include <cstring>
#include <exception>
#include <limits>
#include <mutex>
#include <numeric>
#include <thread>

#include "bench/all_reduce.hpp"
#include "bench/reduced_tensor.hpp"
#include "collectives/transport.hpp"
#include "kernels/base/check.hpp"
#include "kernels/cuda/facts.hpp"

namespace tw {
namespace {

/// What one rank tells the others of a case, besides its seconds of every iteration.
struct RankReport {
  double encode_seconds = 0, comm_seconds = 0, decode_seconds = 0, relative_error = 0;
  std::uint64_t wire_bytes = 0, wrong = 0;
  std::uint64_t untimed = 0;  // whether no GPU did a device's work
};

/// One rank's side of a case.
class Measurement {
 public:
  Measurement(TransportPtr transport, const AllReduceCase& one)
      : case_(one),
        params_{{"data", 0, 1, one.count, DType::f32}},
        tensor_(one.options.exec, {transport->rank(), transport->ranks()}, one.count),
        communicator_(std::move(transport), one.options) {
    report_.untimed =
        one.options.exec.backend == Backend::cuda && cuda::device_facts(one.options.exec.device).interpreted;
    communicator_.register_parameters(params_, plan_buckets(params_, UINT64_MAX));
  }

  AllReduceResult run() {
    const std::uint64_t steps = case_.warmup + case_.iterations;
    for (std::uint64_t step = 0; step < steps; ++step) {
      if (step == case_.warmup) start_counting();
      one_step(step);
      if (step != 0 && step + 1 != steps) continue;
      const Comparison comparison = tensor_.compare();
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
    tensor_.fill();
    const Piece piece{&params_[0], 0, tensor_.view()};
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
    if (!result.timed) forget_times(result);
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
    result.timed = result.timed && report.untimed == 0;
  }

  static void summarise(AllReduceResult& result, std::vector<double> seconds) {
    std::sort(seconds.begin(), seconds.end());
    const double sum = std::accumulate(seconds.begin(), seconds.end(), 0.0);
    result.seconds = sum / static_cast<double>(seconds.size());
    result.lowest_seconds = seconds.front();
    result.highest_seconds = seconds.back();
    result.median_seconds = (seconds[seconds.size() / 2] + seconds[(seconds.size() - 1) / 2]) / 2;
  }

  static void forget_times(AllReduceResult& result) {
    for (double* seconds : {&result.seconds, &result.median_seconds, &result.lowest_seconds, &result.highest_seconds,
                            &result.encode_seconds, &result.comm_seconds, &result.decode_seconds})
      *seconds = std::numeric_limits<double>::quiet_NaN();
  }

  AllReduceCase case_;
  std::vector<Param> params_;
  ReducedTensor tensor_;
  Communicator communicator_;  // after what it works on
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

void put(AllReduceCase& one, Exec place) {
  place.workers = one.options.exec.workers;
  one.options.exec = place;
}

AllReduceResult measure_all_reduce(TransportPtr transport, const AllReduceCase& one) {
  return Measurement(std::move(transport), one).run();
}

AllReduceResult measure_on_threads(std::uint32_t ranks, const ConnectOptions& connect, const AllReduceCase& one,
                                   const DeviceChoice& device) {
  std::vector<AllReduceCase> cases(ranks, one);
  for (std::uint32_t rank = 0; rank < ranks; ++rank) put(cases[rank], place_of(device, rank));
  auto transports = connect_threads(ranks, connect);
  std::vector<AllReduceResult> results(ranks);
  FirstError error;
  {
    std::vector<std::jthread> threads;
    for (std::uint32_t rank = 0; rank < ranks; ++rank)
      threads.emplace_back([&, rank] {
        try {
          results[rank] = measure_all_reduce(std::move(transports[rank]), cases[rank]);
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
