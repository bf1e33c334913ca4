#include <chrono>
#include <memory>
#include <string>

#include "bench/codecs.hpp"
#include "bench/kernels/device_bench.hpp"
#include "bench/kernels/floors.hpp"
#include "compress/captured.hpp"
#include "compress/compressor.hpp"
#include "compress/state.hpp"
#include "kernels/base/arena.hpp"
#include "kernels/cuda/batch.hpp"

namespace tw {
namespace {

constexpr StepInfo kStep{1, 0.1, 1};
constexpr EncodeKey kKey{20240521, 1, 0, Hop::worker};

// The gradients of some tensors, their residuals and their bodies.
class Bucket {
 public:
  Bucket(const std::string& spec, std::span<const std::uint64_t> counts, const Exec& exec)
      : compressor_(spec),
        exec_(exec),
        arena_(memory_of(Residence::device, exec.device)),
        status_(block(sizeof(std::uint32_t))),
        state_(exec) {
    exec_.arena = &arena_;
    exec_.status = reinterpret_cast<std::uint32_t*>(status_.get());
    fill_zero(exec_, {status_.get(), sizeof(std::uint32_t)});
    params_.reserve(counts.size());
    for (const std::uint64_t count : counts) add(count);
    body_bytes_.resize(jobs_.size());
    synchronize(exec_);
  }

  std::uint64_t count() const { return count_; }
  /// That an encode must at least move: gradients and residuals in, residuals and bodies out.
  double least_bytes() const {
    std::uint64_t bodies = 0;
    for (const EncodeJob& job : jobs_) bodies += job.body.size();
    return static_cast<double>(3 * sizeof(float) * count_ + bodies);
  }
  /// A step's encode, with one launch a kernel and tensor, or those of all tensors gathered.
  void encode(LaunchBatch* batch) {
    Exec exec = exec_;
    exec.batch = batch;
    compressor_.encode({exec, kKey, kStep, &state_}, jobs_, body_bytes_);
    state_.commit();
  }
  CapturedWork captured(LaunchBatch* batch) {
    Exec exec = exec_;
    exec.batch = batch;
    return captured_encode({exec, kKey, kStep, &state_}, compressor_, jobs_);
  }
  /// A step's encode by what `captured` gave.
  void encode(CapturedWork& captured, std::uint64_t step) {
    captured.run(step);
    state_.commit();
  }

 private:
  Block block(std::uint64_t bytes) { return allocate_block(memory_of(Residence::device, exec_.device), bytes); }

  void add(std::uint64_t count) {
    const auto id = static_cast<std::uint32_t>(params_.size());
    const Param& param = params_.emplace_back(Param{"tensor" + std::to_string(id), id, 1, count, DType::f32});
    std::vector<float> values(count);
    Team team(all_cores());
    fill(CodecData::gaussian, team, values);
    const std::size_t body_bytes = compressor_.codec().max_bytes({&param, 0, count});
    std::byte* at = blocks_.emplace_back(block(count * sizeof(float))).get();
    std::byte* body = blocks_.emplace_back(block(body_bytes)).get();
    copy<std::byte>(exec_, std::as_bytes(std::span(values)), {at, count * sizeof(float)});
    synchronize(exec_);
    compressor_.declare_slots(state_, param, Hop::worker, 0, count);
    jobs_.push_back({{&param, 0, {reinterpret_cast<const float*>(at), count}}, {body, body_bytes}});
    count_ += count;
  }

  Compressor compressor_;
  Exec exec_;
  Arena arena_;
  Block status_;
  State state_;
  std::vector<Param> params_;
  std::vector<Block> blocks_;
  std::vector<EncodeJob> jobs_;
  std::vector<std::uint32_t> body_bytes_;
  std::uint64_t count_ = 0;
};

struct Way {
  const char* name;
  bool gathered, captured;
};
constexpr Way kWays[] = {{"launches", false, false},
                         {"batch", true, false},
                         {"launches_in_graph", false, true},
                         {"batch_in_graph", true, true}};

void measure(benchmark::State& state, DeviceBench& bench, const std::string& codec, const Way& way) {
  // Interpreters are slow, and one layer shows them as much as ten.
  const std::vector<std::uint64_t> tensors = bucket_tensors(bench.clock.tells_time() ? 10 : 1);
  Bucket bucket(codec + "+ef", tensors, bench.clock.exec());
  LaunchBatch batch;
  LaunchBatch* const gathering = way.gathered ? &batch : nullptr;
  CapturedWork captured = bucket.captured(gathering);
  std::uint64_t step = 0;
  const auto encode = [&] { way.captured ? bucket.encode(captured, ++step) : bucket.encode(gathering); };
  for (int i = 0; i < (way.captured ? 3 : 1); ++i) encode();  // both graphs are there
  std::vector<double> enqueue;
  const auto work = [&] {
    const auto begin = std::chrono::steady_clock::now();
    encode();
    enqueue.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  };
  time_on_device(state, bench, work, {static_cast<double>(sizeof(float) * bucket.count()), bucket.least_bytes()});
  if (!bench.clock.tells_time()) return;
  state.counters["enqueue_us"] = median_of(enqueue) * 1e6;
  state.counters["tensors"] = static_cast<double>(tensors.size());
}

}  // namespace

void register_bucket_benchmarks(DeviceBench& bench) {
  for (const char* codec : {"int8", "onebit", "qsgd:bits=8", "bf16", "topk"})
    for (const Way& way : kWays)
      benchmark::RegisterBenchmark(
          (std::string("bucket/") + codec + "+ef/" + way.name).c_str(),
          [&bench, codec, way](benchmark::State& state) { or_skip(state, [&] { measure(state, bench, codec, way); }); })
          ->UseManualTime()
          ->Iterations(kDeviceIterations);
}

}  // namespace tw
