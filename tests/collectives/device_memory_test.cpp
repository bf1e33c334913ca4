// The device and pinned memory that an exchange takes where gradients lie on devices: all of it at registration, as
// much as COSTS.md says. And what leaves the device: nothing but frames.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <cctype>
#include <condition_variable>
#include <mutex>
#include <set>

#include "collectives/algorithm.hpp"
#include "collectives/buffers.hpp"
#include "collectives/plan.hpp"
#include "collectives/transports/wrapper.hpp"
#include "compress/compressor.hpp"
#include "tests/support/device_allocations.hpp"
#include "tests/support/exchange_cost.hpp"
#include "tests/support/ranks.hpp"
#if defined(TW_TEST_NCCL)
#include "tests/support/mock_nccl.hpp"
#elif defined(TW_TEST_UCX)
#include "tests/support/ucx_cuda.hpp"
#endif

namespace tw::test {
namespace {

#if defined(TW_TEST_NCCL)
constexpr bool kStreamOrdered = true, kDirect = false;
#elif defined(TW_TEST_UCX)
constexpr bool kStreamOrdered = false, kDirect = true;
#else
constexpr bool kStreamOrdered = false, kDirect = false;
#endif

void reset_stand_ins() {
#if defined(TW_TEST_NCCL)
  MockNccl::reset();
#elif defined(TW_TEST_UCX)
  UcxCuda::reset(true);
#endif
}

/// The ranks that cannot go on in a step without one that has not begun it.
class Stuck {
 public:
  void add(std::uint32_t rank) {
    const std::lock_guard lock(mutex_);
    ranks_.insert(rank);
    changed_.notify_all();
  }
  void wait_for(std::size_t ranks) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return ranks_.size() >= ranks; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::set<std::uint32_t> ranks_;
};

/// A send whose end is not told before the rank has nothing else to do.
struct HeldSend final : Request::State {
  explicit HeldSend(Request send) : send(std::move(send)) {}
  bool done() const override { return is_told && send.done(); }
  std::size_t received_bytes(std::size_t op) const override { return send.received_bytes(op); }

  Request send;
  bool is_told = false;
};

/// Tells when its rank has posted something in a step and then waits for what comes. Sends of frames that the host
/// drives last as long as windows allow.
class Watched final : public TransportWrapper {
 public:
  Watched(TransportPtr inner, std::vector<Stuck>& stuck) : TransportWrapper(std::move(inner)), stuck_(stuck) {}
  std::string_view name() const override { return "watched"; }
  /// Steps count from 1.
  void begin(std::size_t step) { step_ = step; }
  Request post(const Exec& exec, std::span<const Op> ops) override {
    posted_ = step_.load();
    Request request = inner_->post(exec, ops);
    if (kStreamOrdered || ops.front().kind != Op::Kind::send) return request;
    return Request(held_.emplace_back(std::make_shared<HeldSend>(std::move(request))));
  }
  Request all_reduce_sum(const Exec& exec, std::span<float> values) override {
    posted_ = step_.load();
    return inner_->all_reduce_sum(exec, values);
  }
  void progress(Deadline until) override {
    if (until.passed()) return inner_->progress(until);
    if (!held_.empty()) {
      for (const auto& send : held_) send->is_told = true;
      held_.clear();
      return inner_->progress(Deadline(Deadline::Clock::now()));
    }
    if (posted_ != 0 && posted_ == step_) stuck_[posted_ - 1].add(rank());
    inner_->progress(until);
  }

 private:
  std::vector<Stuck>& stuck_;
  std::vector<std::shared_ptr<HeldSend>> held_;
  std::atomic<std::size_t> step_ = 0;
  std::size_t posted_ = 0;
};

struct Pair {
  std::string algorithm, codec;
};
void PrintTo(const Pair& pair, std::ostream* out) { *out << pair.algorithm << " x " << pair.codec; }
std::string name_of_pair(const ::testing::TestParamInfo<Pair>& info) {
  std::string name = info.param.algorithm + "_" + info.param.codec;
  std::ranges::replace_if(
      name, [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); }, '_');
  return name;
}

std::vector<Pair> pairs_under_test() {
  std::vector<Pair> pairs{{"ring", "identity"}, {"ring", "randomk:ratio=0.3"}};
  for (const char* algorithm : {"two_shot", "all_gather_reduce"})
    for (const char* codec :
         {"identity", "identity+ef", "int8", "int8:block=32+ef", "topk:count=700+ef", "randomk:ratio=0.3"})
      pairs.push_back({algorithm, codec});
  return pairs;
}

class DeviceMemory : public ::testing::TestWithParam<Pair> {
 protected:
  void SetUp() override { reset_stand_ins(); }

  /// More chunks than windows have room for, in buckets of their own, and every dtype that can be carried.
  static GroupSpec group() {
    GroupSpec spec{.ranks = 3, .staged_transport = {}, .devices = Devices::all};
    const Compressor compressor(GetParam().codec);
    const auto add = [&](const char* name, std::uint64_t count, DType dtype) {
      const Param param{name, static_cast<std::uint32_t>(spec.params.size()), 1, count, dtype};
      if (find_algorithm(GetParam().algorithm).refusal(compressor.codec().traits(param)).empty())
        spec.params.push_back(param);
    };
    add("many chunks", 60'000, DType::f32);
    for (const char* name : {"a", "b", "c"}) add(name, 1500, DType::f32);
    add("half", 1100, DType::f16);
    add("scalar", 1, DType::f32);
    spec.options.codec = GetParam().codec;
    spec.options.algorithm = GetParam().algorithm;
    spec.options.chunk_bytes = 1024;
    spec.options.checksum = false;  // kernels would take minutes
    return spec;
  }
};

constexpr std::uint64_t kSteps = 4;

void take_steps(const GroupSpec& spec, Member& member, Watched& transport, std::vector<Stuck>& stuck) {
  for (std::uint64_t step = 0; step < kSteps; ++step) {
    Tensors tensors = gradients_of(spec.params, Values::gaussian, step, member.rank());
    if (step == 2) std::ranges::for_each(tensors, [](Tensor& tensor) { tensor.absent = true; });
    transport.begin(step + 1);
    if (step % spec.ranks == member.rank()) stuck[step].wait_for(spec.ranks - 1);
    EXPECT_TRUE(member.step(step, tensors).committed);
    member.communicator().barrier(soon());
  }
}

// In each another rank begins when the others cannot go on without it.
TEST_P(DeviceMemory, IsTakenByNoStep) {
  const GroupSpec spec = group();
  auto transports = connect_group(spec);
  std::vector<Stuck> stuck(kSteps);
  std::barrier all(spec.ranks);
  on_ranks(spec.ranks, [&](std::uint32_t rank) {
    auto* watched = new Watched(std::move(transports[rank]), stuck);
    Member member(spec, TransportPtr(watched));
    member.communicator().barrier(soon());
    all.arrive_and_wait();
    const Taken device = device_memory_taken(), pinned = pinned_memory_taken();
    all.arrive_and_wait();
    take_steps(spec, member, *watched, stuck);
    all.arrive_and_wait();
    EXPECT_EQ(device_memory_taken() - device, Taken{}) << "device memory, rank " << rank;
    EXPECT_EQ(pinned_memory_taken() - pinned, Taken{}) << "pinned memory, rank " << rank;
  });
}

/// Bytes that a rank takes.
struct Room {
  std::uint64_t device = 0, pinned = 0;
};

/// Registers everybody, and says what that took a rank.
Room registered(const GroupSpec& spec) {
  auto transports = connect_group(spec);
  const Taken device = device_memory_taken(), pinned = pinned_memory_taken();
  std::barrier all(spec.ranks);
  Room room;
  on_ranks(spec.ranks, [&](std::uint32_t rank) {
    CommunicatorOptions options = spec.options;
    options.exec.backend = Backend::cuda;
    Communicator communicator(std::move(transports[rank]), options);
    communicator.register_parameters(spec.params, plan_buckets(spec.params, spec.bucket_bytes));
    all.arrive_and_wait();
    if (rank == 0)
      room = {(device_memory_taken() - device).bytes / spec.ranks, (pinned_memory_taken() - pinned).bytes / spec.ranks};
    communicator.barrier(soon());
  });
  return room;
}

// Of the formulas: F(c) by chunk, and sums.
std::uint64_t frames(std::span<const Chunk> chunks) {
  std::uint64_t bytes = 0;
  for (const Chunk& chunk : chunks) bytes += chunk.layout.max_frame_bytes();
  return bytes;
}
std::uint64_t sums(std::span<const Chunk> chunks) {
  std::uint64_t bytes = 0;
  for (const Chunk& chunk : chunks) bytes += chunk.count() * sizeof(float);
  return bytes;
}

/// Rank 0's over NCCL.
Room stream_ordered(const GroupSpec& spec) {
  std::uint64_t encoded = 0, exchanged = 0;
  for_each_plan(spec, [&](const BucketPlan& plan) {
    const std::string& algorithm = spec.options.algorithm;
    const std::span<const Chunk> summed = algorithm == "two_shot" ? plan.chunks_of(0) : plan.chunks();
    encoded += frames(plan.chunks());
    if (algorithm == "ring") {
      encoded -= kFrameHeaderBytes * plan.chunks().size();
      return;
    }
    const std::uint64_t delivered = algorithm == "two_shot" ? frames(plan.chunks()) : 0;
    exchanged = std::max(exchanged, (spec.ranks - 1) * frames(summed) + delivered + sums(summed));
  });
  return {encoded + exchanged, 0};
}

std::uint64_t counted(std::size_t bytes, std::uint64_t times) {
  return times * (BufferPool::capacity_for(bytes) + BufferPool::kAlignment);
}

/// Rank 0's where the host drives frames: of chunks that are all alike.
Room host_driven(const GroupSpec& spec) {
  Room room;
  for_each_plan(spec, [&](const BucketPlan& plan) {
    const auto window = [&](std::uint32_t owner, std::size_t most) {
      return std::min<std::uint64_t>(plan.chunks_of(owner).size(), most);
    };
    const std::uint64_t others = spec.ranks - 1, all = plan.chunks().size();
    std::uint64_t sent = all, kept = all, awaited = others * all, own = 0, summed = all;
    if (spec.options.algorithm == "two_shot") {
      sent = spec.ranks * window(0, 16);
      kept = kDirect ? sent : spec.ranks * window(0, 1);
      awaited = 2 * others * window(0, 32);
      own = summed = window(0, 32);
    } else if (spec.options.algorithm == "ring") {
      sent = window(0, 8);
      kept = kDirect ? sent : window(0, 1);
      awaited = 2 * others * window(0, 6);
      own = (kDirect ? 1 : 2) * others * window(0, 1);
      summed = 0;
    }
    const std::size_t frame = plan.chunks().front().layout.max_frame_bytes();
    const std::size_t sum = plan.chunks().front().count() * sizeof(float);
    room.device += counted(frame, kept + own + (kDirect ? awaited : 0)) + counted(sum, summed);
    if (!kDirect) room.pinned += counted(frame, sent + awaited);
  });
  return room;
}

// Two buckets, the larger of more chunks than windows have room for.
TEST_P(DeviceMemory, IsWhatTheFormulaSays) {
  GroupSpec spec = group();
  spec.params = {{"large", 0, 1, 40 * 3 * 256, DType::f32}, {"small", 1, 1, 7 * 3 * 256, DType::f32}};
  const Compressor compressor(spec.options.codec);
  if (compressor.memory() != nullptr || compressor.codec().traits(spec.params[0]).sparse) return;
  const Room expected = kStreamOrdered ? stream_ordered(spec) : host_driven(spec);
  const Room room = registered(spec);
  // Scratch memory: a chunk's, or over NCCL a bucket's, in blocks that double.
  const std::uint64_t scratch = kStreamOrdered ? 2 * (40 * 3 * 1024 + (64 << 10)) : 64 << 10;
  EXPECT_GE(room.device, expected.device);
  EXPECT_LE(room.device, expected.device + scratch);
  EXPECT_GE(room.pinned, expected.pinned);
  EXPECT_LE(room.pinned, expected.pinned + (8 << 10)) << "status words, findings and small messages";
}

/// A step of everybody's, whose gradients were brought to the devices before. Bytes that were copied off them
/// meanwhile.
std::uint64_t copied_off_in_a_step(const GroupSpec& spec) {
  auto transports = connect_group(spec);
  std::barrier all(spec.ranks);
  std::uint64_t copied = 0;
  on_ranks(spec.ranks, [&](std::uint32_t rank) {
    Member member(spec, std::move(transports[rank]));
    Tensors tensors = gradients_of(spec.params, Values::gaussian, 1, rank);
    std::vector<std::vector<Piece>> pieces;
    for (std::uint32_t bucket = 0; bucket < member.buckets(); ++bucket)
      pieces.push_back(member.pieces(bucket, tensors));
    all.arrive_and_wait();
    const std::uint64_t before = copied_off_devices().bytes;
    all.arrive_and_wait();
    member.communicator().begin_step({1, 0.1, 1});
    for (std::uint32_t bucket = 0; bucket < member.buckets(); ++bucket)
      member.communicator().all_reduce({bucket, pieces[bucket]});
    EXPECT_TRUE(member.communicator().end_step(soon()).committed);
    all.arrive_and_wait();
    if (rank == 0) copied = copied_off_devices().bytes - before;
    member.communicator().barrier(soon());
  });
  return copied;
}

// Once for each chunk: its gradient, the sum that this rank's was added to, or the mean.
TEST_P(DeviceMemory, IsLeftByWhatIsCodedAlone) {
  GroupSpec spec = group();
  spec.params = {{"large", 0, 1, 40 * 3 * 256, DType::f32}, {"small", 1, 1, 7 * 3 * 256, DType::f32}};
  std::uint64_t coded = 0;
  for_each_plan(
      spec, [&](const BucketPlan& plan) { coded += frames(plan.chunks()) - kFrameHeaderBytes * plan.chunks().size(); });
  EXPECT_EQ(copied_off_in_a_step(spec), kStreamOrdered || kDirect ? 0 : spec.ranks * coded);
}

INSTANTIATE_TEST_SUITE_P(All, DeviceMemory, ::testing::ValuesIn(pairs_under_test()), name_of_pair);

}  // namespace
}  // namespace tw::test
