// Steps replayed from graphs give what direct encodes and decodes of the same steps give on the host, byte for byte.
#include "compress/captured.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <optional>

#include <tightwire/error.hpp>

#include "compress/wire.hpp"
#include "kernels/cuda/stream.hpp"
#include "kernels/frame.hpp"
#include "tests/compress/codec_harness.hpp"
#include "tests/support/thrown.hpp"

namespace tw::test {
namespace {

const Param kParams[] = {{"weight", 0, 1, 3000, DType::f32}, {"bias", 1, 1, 77, DType::f32}};
// The last two are of one slot, as buckets may cut a parameter.
constexpr struct {
  std::size_t param;
  std::uint64_t first, count;
} kRuns[] = {{1, 0, 77}, {0, 0, 2048}, {0, 2048, 952}};

template <class T>
std::vector<T> copy_of(std::span<const T> values) {
  return {values.begin(), values.end()};
}

constexpr StepInfo kInfo{};

// The same runs on any backend, each with its gradient, its body and what is decoded.
class Runs {
 public:
  Runs(const std::string& spec, const Exec& exec)
      : compressor_(spec), exec_(exec), arena_(memory_of(residence_of(exec), exec.device)), state_(exec) {
    exec_.arena = &arena_;
    for (const Param& param : kParams) compressor_.declare_slots(state_, param, Hop::worker, 0, param.count());
    for (const auto& [param, first, count] : kRuns) {
      const Extent extent{&kParams[param], first, count};
      gradients_.emplace_back(exec, Guarded<float>(count));
      decoded_.emplace_back(exec, Guarded<float>(count, 0.5f));
      bodies_.emplace_back(exec, Guarded(compressor_.codec().max_bytes(extent), std::byte{0xee}));
      encodes_.push_back({{extent.param, first, gradients_.back().span()}, bodies_.back().span()});
      decodes_.push_back({bodies_.back().span(), {extent.param, first, decoded_.back().span()}});
    }
  }

  const Compressor& compressor() const { return compressor_; }
  State& state() { return state_; }
  std::span<const EncodeJob> encodes() const { return encodes_; }
  std::span<const DecodeJob> decodes() const { return decodes_; }
  Context context(std::uint64_t step) { return {exec_, {kKey.seed, step, kKey.rank, Hop::worker}, kInfo, &state_}; }

  /// Other gradients for every variant.
  void provide(std::uint32_t variant) {
    for (std::size_t i = 0; i < gradients_.size(); ++i) {
      const auto x = make_input(Family::gaussian, kRuns[i].count, DType::f32, 8 * variant + static_cast<unsigned>(i));
      copy<float>(exec_, x, gradients_[i].span());
    }
    synchronize(exec_);
  }
  void encode(std::uint64_t step, std::size_t first = 0, std::size_t count = std::size(kRuns)) {
    std::vector<std::uint32_t> bytes(count);
    compressor_.encode(context(step), encodes().subspan(first, count), bytes);
  }

  std::vector<std::vector<std::byte>> bodies() { return all(bodies_); }
  std::vector<std::vector<float>> decoded() { return all(decoded_); }
  std::vector<std::vector<float>> residuals() {
    std::vector<std::vector<float>> residuals;
    state_.for_each([&](const State::Entry& entry) {
      residuals.emplace_back(entry.live.size());
      copy<float>(exec_, entry.live, residuals.back());
    });
    synchronize(exec_);
    return residuals;
  }

 private:
  template <class T>
  static std::vector<std::vector<T>> all(std::deque<Placed<T>>& arrays) {
    std::vector<std::vector<T>> values;
    for (Placed<T>& array : arrays) {
      EXPECT_TRUE(array.fetch().intact());
      values.push_back(copy_of(array.fetch().span()));
    }
    return values;
  }

  Compressor compressor_;
  Exec exec_;
  Arena arena_;
  State state_;
  std::deque<Placed<float>> gradients_, decoded_;
  std::deque<Placed<std::byte>> bodies_;
  std::vector<EncodeJob> encodes_;
  std::vector<DecodeJob> decodes_;
};

constexpr Exec kHost{.backend = Backend::reference};

TEST(CapturedErrors, OnlyWorkOnADeviceIsCaptured) {
  Runs runs("qsgd", kHost);
  const auto capture = [&] { captured_encode(runs.context(0), runs.compressor(), runs.encodes()); };
  const std::string message = message_of<UsageError>(capture);
  EXPECT_NE(message.find("expected an Exec with Backend::cuda"), std::string::npos) << message;
}

TEST(CapturedErrors, BodiesMustBeOfAFixedSize) {
  class Elastic final : public Codec {
    std::uint16_t id() const override { return 999; }
    CodecTraits traits(const Param&) const override { return {.fixed_size = false}; }
    std::size_t max_bytes(const Extent& extent) const override { return 16 * extent.count; }
    void encode(const Context&, std::span<const EncodeJob>, std::span<std::uint32_t>) const override {}
    void validate(const Context&, std::span<const std::byte>, const Extent&) const override {}
    void decode(const Context&, std::span<const DecodeJob>, Combine, float) const override {}
  };
  const auto require = [] { require_fixed_size(Elastic(), "elastic:level=3", kParams[1]); };
  const std::string message = message_of<UsageError>(require);
  EXPECT_NE(message.find("'elastic:level=3' cannot be captured in a graph"), std::string::npos) << message;
  EXPECT_NE(message.find("'bias'"), std::string::npos) << message;
}

TEST(CapturedErrors, WithoutCudaItSaysWhatToDo) {
  if (kHaveCuda) return;  // built without by the preset cpu-tsan
  const Exec exec{.backend = Backend::cuda};
  const auto capture = [&] { CapturedWork({exec, kKey, kInfo}, [](const Context&) {}); };
  EXPECT_NE(message_of<CudaError>(capture).find("-DTW_CUDA=ON"), std::string::npos);
}

#ifdef TW_TEST_CUDA
std::vector<std::string> specs_with_feedback() {
  std::vector<std::string> specs;
  for (const std::string& spec : specs_under_test()) {
    specs.push_back(spec);
    if (Compressor(spec).codec().traits(kParams[0]).contractive) specs.push_back(spec + "+ef");
  }
  return specs;
}

struct Step {
  std::uint64_t step;
  bool good;
};
// Either order of live and next, before and after a step that is taken back; steps that need their high half.
constexpr Step kSteps[] = {{5, true}, {6, true},           {7, false},           {7, true},
                           {8, true}, {0x500000008, true}, {0x500000009, false}, {0x600000009, true}};

class Captured : public ::testing::TestWithParam<bool> {
 protected:
  // The device's place, with kernels gathered or one by one.
  Captured() {
    exec_.stream = stream_.get();
    if (GetParam()) exec_.batch = &batch_;
  }

  // Without scratch memory: works have their own.
  Context of(Runs& runs) const { return {exec_, kKey, kInfo, &runs.state()}; }

  cuda::Stream stream_;
  LaunchBatch batch_;
  Exec exec_{.backend = Backend::cuda};
};

void end_step(Runs& runs, const Step& step) { step.good ? runs.state().commit() : runs.state().rollback(); }

TEST_P(Captured, EncodesGiveTheHostsBytesInEveryStep) {
  for (const std::string& spec : specs_with_feedback()) {
    SCOPED_TRACE(spec);
    Runs device(spec, exec_), host(spec, kHost);
    CapturedWork encode = captured_encode(of(device), device.compressor(), device.encodes());
    std::uint32_t variant = 0;
    for (const Step& step : kSteps) {
      for (Runs* runs : {&device, &host}) runs->provide(variant);
      ++variant;
      encode.run(step.step);
      host.encode(step.step);
      EXPECT_EQ(host.bodies(), device.bodies()) << step.step;
      for (Runs* runs : {&device, &host}) end_step(*runs, step);
      EXPECT_EQ(host.residuals(), device.residuals()) << step.step;
    }
  }
}

TEST_P(Captured, DecodesGiveTheHostsValuesInEveryStep) {
  for (const std::string& spec : specs_under_test()) {
    SCOPED_TRACE(spec);
    Runs device(spec, exec_), host(spec, kHost);
    constexpr Blend kHow{Combine::add, 0.25f};
    CapturedWork decode = captured_decode(of(device), device.compressor(), device.decodes(), kHow);
    for (const Step& step : kSteps) {
      for (Runs* runs : {&device, &host}) {
        runs->provide(static_cast<std::uint32_t>(step.step));
        runs->encode(step.step);
      }
      host.compressor().decode(host.context(step.step), host.decodes(), kHow.combine, kHow.scale);
      decode.run(step.step);
      EXPECT_EQ(host.decoded(), device.decoded()) << step.step;
    }
  }
}

// What the record is for.
TEST_P(Captured, WithoutTheRecordAStepIsRepeated) {
  for (const char* spec : {"qsgd", "randomk:ratio=0.1"}) {
    SCOPED_TRACE(spec);
    Runs device(spec, exec_), host(spec, kHost);
    Context context = of(device);
    context.key.step = 5;
    CapturedWork encode(context, [&](const Context& captured) {
      Context unaware = captured;
      unaware.recorded_step = nullptr;
      std::vector<std::uint32_t> bytes(device.encodes().size());
      device.compressor().encode(unaware, device.encodes(), bytes);
    });
    for (Runs* runs : {&device, &host}) runs->provide(0);
    for (const Step& step : kSteps) {
      encode.run(step.step);
      host.encode(step.step);
      EXPECT_EQ(host.bodies() == device.bodies(), step.step == 5) << step.step;
    }
  }
}

// Some of the slots are written by others meanwhile: no graph that was captured fits.
TEST_P(Captured, SlotsMayPartAndMeetAgain) {
  Runs device("qsgd:block=64+ef", exec_), host("qsgd:block=64+ef", kHost);
  CapturedWork encode = captured_encode(of(device), device.compressor(), device.encodes());
  for (std::uint32_t step = 0; step < 15; ++step) {
    const bool apart = step % 5 == 4;
    for (Runs* runs : {&device, &host}) runs->provide(step);
    apart ? device.encode(step, 0, 1) : encode.run(step);
    host.encode(step, 0, apart ? 1 : std::size(kRuns));
    EXPECT_EQ(host.bodies(), device.bodies()) << step;
    for (Runs* runs : {&device, &host}) runs->state().commit();
    EXPECT_EQ(host.residuals(), device.residuals()) << step;
  }
}

// Two works in turn, and others that use scratch memory between them.
TEST_P(Captured, WorksKeepTheirMemoryToThemselves) {
  Runs device("topk:ratio=0.1+ef", exec_), other("topk:ratio=0.3", exec_), host("topk:ratio=0.1+ef", kHost);
  CapturedWork first = captured_encode(of(device), device.compressor(), device.encodes().first(2));
  CapturedWork second = captured_encode(of(device), device.compressor(), device.encodes().subspan(2));
  other.provide(77);
  std::size_t reserved = 0;
  for (std::uint32_t step = 0; step < 5; ++step) {
    for (Runs* runs : {&device, &host}) runs->provide(step);
    first.run(step);
    other.encode(step);
    second.run(step);
    host.encode(step);
    EXPECT_EQ(host.bodies(), device.bodies()) << step;
    for (Runs* runs : {&device, &host}) runs->state().commit();
    if (step == 0) reserved = first.reserved_bytes();
    EXPECT_EQ(first.reserved_bytes(), reserved);
  }
  EXPECT_EQ(host.residuals(), device.residuals());
}

TEST_P(Captured, FailedWorkMayBeRunAgain) {
  Runs device("qsgd", exec_), host("qsgd", kHost);
  bool fails = false;
  CapturedWork encode(of(device), [&](const Context& context) {
    std::vector<std::uint32_t> bytes(device.encodes().size());
    device.compressor().encode(context, device.encodes(), bytes);
    if (fails) throw UsageError("as it was told");
  });
  for (Runs* runs : {&device, &host}) runs->provide(0);
  encode.run(1);
  fails = true;
  EXPECT_THROW(encode.run(2), UsageError);
  fails = false;
  encode.run(3);
  host.encode(3);
  EXPECT_EQ(host.bodies(), device.bodies());
}

TEST_P(Captured, TheDefaultStreamAndOpenBatchesAreRefused) {
  Runs device("qsgd", exec_);
  Exec exec = exec_;
  exec.stream = nullptr;
  EXPECT_THROW(captured_encode({exec, kKey, kInfo}, device.compressor(), device.encodes()), UsageError);
  CapturedWork encode = captured_encode(of(device), device.compressor(), device.encodes());
  const cuda::BatchScope batch(exec_);
  if (GetParam()) {
    EXPECT_THROW(encode.run(0), UsageError);
  }
}

// Frames with all that is in front of the bodies, as of the step; and what looks at them when they come from elsewhere.
class CapturedFrames : public Captured {
 protected:
  static std::vector<Extent> extents() {
    std::vector<Extent> extents;
    for (const auto& [param, first, count] : kRuns) extents.push_back({&kParams[param], first, count});
    return extents;
  }
  FrameId id_at(std::uint64_t step) const {
    FrameId id;
    id.codec = host_.compressor().codec().id();
    id.plan_hash = 0x1234567890;
    id.step = step;
    id.source = kKey.rank;
    return id;
  }
  std::vector<std::byte> sealed_by_host(std::uint64_t step, Checksum checksum) {
    host_.encode(step);
    Guarded<std::byte> frame(layout_.max_frame_bytes());
    std::vector<std::uint32_t> bytes;
    const auto bodies = host_.bodies();
    for (std::size_t i = 0; i < bodies.size(); ++i) {
      std::copy(bodies[i].begin(), bodies[i].end(), layout_.body_room(frame.span(), i).begin());
      bytes.push_back(static_cast<std::uint32_t>(bodies[i].size()));
    }
    seal_frame(id_at(step), layout_, checksum, bytes, frame.span());
    return {frame.span().begin(), frame.span().end()};
  }

  Runs host_{"randomk:ratio=0.1", kHost};
  FrameLayout layout_{host_.compressor().codec(), extents()};
};

TEST_P(CapturedFrames, AreSealedAsOfEveryStep) {
  Runs device("randomk:ratio=0.1", exec_);
  for (Runs* runs : {&device, &host_}) runs->provide(1);
  for (const Checksum checksum : {Checksum::none, Checksum::crc32c}) {
    Placed<std::byte> frame(exec_, Guarded<std::byte>(layout_.max_frame_bytes(), std::byte{}, 48));
    std::vector<EncodeJob> jobs = copy_of(device.encodes());
    for (std::size_t i = 0; i < jobs.size(); ++i) jobs[i].body = layout_.body_room(frame.span(), i);
    CapturedWork seal(of(device), [&](const Context& context) {
      std::vector<std::uint32_t> bytes(jobs.size());
      device.compressor().encode(context, jobs, bytes);
      seal_in_place(context.exec, header_of_fixed_size(id_at(0), layout_, checksum, context.recorded_step), checksum,
                    {}, frame.span());
    });
    for (const Step& step : kSteps) {
      seal.run(step.step);
      EXPECT_EQ(copy_of(frame.fetch().span()), sealed_by_host(step.step, checksum)) << step.step;
    }
  }
}

TEST_P(CapturedFrames, OfAnotherStepAreFound) {
  host_.provide(1);
  for (const Checksum checksum : {Checksum::none, Checksum::crc32c}) {
    Placed<std::byte> frame(exec_, Guarded<std::byte>(layout_.max_frame_bytes()));
    Placed<std::uint32_t> status(exec_, Guarded<std::uint32_t>(1));
    Exec exec = exec_;
    exec.status = status.span().data();
    CapturedWork check({exec, kKey, kInfo}, [&](const Context& context) {
      check_in_place(context.exec, header_of_fixed_size(id_at(0), layout_, checksum, context.recorded_step), checksum,
                     frame.span());
    });
    const auto found = [&](std::uint64_t sent, std::uint64_t expected) {
      copy<std::byte>(exec_, sealed_by_host(sent, checksum), frame.span());
      copy<std::uint32_t>(exec_, std::vector<std::uint32_t>{0}, status.span());
      check.run(expected);
      return status.fetch().span().front();
    };
    for (const Step& step : kSteps) {
      EXPECT_EQ(found(step.step, step.step), 0u) << step.step;
      EXPECT_EQ(found(step.step, step.step + 1), kStatusBadFrame) << step.step;
      EXPECT_EQ(found(step.step, step.step ^ std::uint64_t{1} << 32), kStatusBadFrame) << step.step;
    }
  }
}

const auto name_of_place = [](const auto& info) { return info.param ? "Gathered" : "OneByOne"; };
INSTANTIATE_TEST_SUITE_P(With, Captured, ::testing::Bool(), name_of_place);
INSTANTIATE_TEST_SUITE_P(With, CapturedFrames, ::testing::Bool(), name_of_place);
#endif

}  // namespace
}  // namespace tw::test
