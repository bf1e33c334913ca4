// The loop with parameters on a CUDA device, ranks as threads: it ends with the bits of the host's, alone or beside it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include <tightwire/error.hpp>

#include "kernels/cuda/timeline.hpp"
#include "tests/trainer/support.hpp"
#include "tools/device.hpp"
#include "trainer/parameters_hash.hpp"
#include "trainer/placed_floats.hpp"

namespace tw::trainer {
namespace {

using testing::HasSubstr;

constexpr Exec kHost{}, kDevice{.backend = Backend::cuda};

class OnDevice : public testing::Test {
 protected:
  std::vector<Summary> train_on(const std::vector<Exec>& places) const {
    return train(options, dataset, static_cast<std::uint32_t>(places.size()),
                 [&](std::uint32_t rank) { return small_model(dataset, 0, "linear", places[rank]); });
  }

  const Dataset dataset = small_dataset(96, 16);
  TrainOptions options = [] {
    TrainOptions quick = quick_options();
    quick.steps = 4;
    quick.weight_decay = 0.01;
    return quick;
  }();
};

TEST_F(OnDevice, BeginsWithTheHostsParameters) {
  EXPECT_EQ(parameters_hash(*small_model(dataset, 3, "linear", kDevice)), parameters_hash(*small_model(dataset, 3)));
}

TEST_F(OnDevice, EndsWithTheHostsParameters) {
  for (const char* codec : {"identity", "int8:block=32+ef", "topk:ratio=0.1+ef"}) {
    options.codec = codec;
    const Summary host = train_on({kHost, kHost})[0];
    const Summary device = train_on({kDevice, kDevice})[0];
    EXPECT_EQ(device.parameters_hash, host.parameters_hash) << codec;
    EXPECT_EQ(device.test_loss, host.test_loss) << codec;
    EXPECT_EQ(device.wire_bytes_per_step, host.wire_bytes_per_step) << codec;
    EXPECT_EQ(device.device, "cuda:0");
    EXPECT_EQ(host.device, "cpu");
  }
}

TEST_F(OnDevice, SharesAJobWithTheHost) {
  for (const char* codec : {"identity", "int8:block=32+ef", "topk:ratio=0.1+ef"}) {
    options.codec = codec;
    const Summary host = train_on({kHost, kHost})[0];
    const auto mixed = train_on({kHost, kDevice});
    EXPECT_EQ(mixed[0].parameters_hash, host.parameters_hash) << codec;
    EXPECT_EQ(mixed[1].device, "cuda:0");
  }
}

TEST_F(OnDevice, AccumulatesAndTrainsWithoutExchangeAsTheHost) {
  options.accumulate = 2;
  EXPECT_EQ(train_on({kDevice, kHost})[1].parameters_hash, train_on({kHost, kHost})[1].parameters_hash);
  options.exchange = false;
  EXPECT_EQ(train_on({kDevice})[0].parameters_hash, train_on({kHost})[0].parameters_hash);
}

TEST_F(OnDevice, CountsAMissingGradientAsZeros) {
  const auto partial_on = [&](const Exec& exec) {
    return train(options, dataset, 2,
                 [&](std::uint32_t rank) { return partial_model(small_model(dataset, 0, "linear", exec), rank == 1); });
  };
  const auto device = partial_on(kDevice), host = partial_on(kHost);
  EXPECT_EQ(device[1].absent_gradients, 4u);
  EXPECT_EQ(device[0].parameters_hash, host[0].parameters_hash);
}

TEST_F(OnDevice, GoesOnFromTheHostsCheckpointAndTheOtherWayRound) {
  options.codec = "int8:block=32+ef";
  const std::string whole = train_on({kHost, kHost})[0].parameters_hash;
  for (const auto& [before, after] : {std::pair{kDevice, kHost}, std::pair{kHost, kDevice}}) {
    const TemporaryFolder folder;
    const TrainOptions all = options;
    options.stop_after = 2;
    options.checkpoint = folder.path("half");
    train_on({before, before});
    options = all;
    options.resume = folder.path("half");
    EXPECT_EQ(train_on({after, after})[0].parameters_hash, whole) << device_name(after);
    options = all;
  }
}

// Makes its gradients as libtorch does on a device: in a thread of its own, on that thread's stream.
class OwnThread final : public ForwardingModel {
 public:
  explicit OwnThread(std::unique_ptr<Model> inner) : ForwardingModel(std::move(inner)) {
    for (const Param& param : params()) gradients_.emplace_back(exec(), param.count());
    synchronize(exec());
  }
  Exec exec() const override {
    Exec exec = ForwardingModel::exec();
    if (std::this_thread::get_id() == thread_) exec.stream = stream_.get();
    return exec;
  }
  std::span<float> gradient(std::uint32_t param) override { return gradients_[param].span(); }
  double accumulate_gradients(const Batch& batch, double scale, const GradientReady& ready) override {
    const double loss = ForwardingModel::accumulate_gradients(batch, scale, {});
    done_.record(exec());
    std::thread([&] {
      thread_ = std::this_thread::get_id();
      done_.precede(exec());
      for (const Param& param : params()) {
        copy<float>(exec(), ForwardingModel::gradient(param.id), gradient(param.id));
        ready(param.id);
      }
      thread_ = {};
    }).join();
    return loss;
  }

 private:
  const cuda::Stream stream_;
  cuda::Event done_;
  std::thread::id thread_;
  std::vector<PlacedFloats> gradients_;  // by parameter
};

// Only a GPU puts the order to the test: under ptxrun all streams are one.
TEST_F(OnDevice, ReadsGradientsAfterTheStreamThatMadeThem) {
  options.codec = "int8:block=32+ef";
  const auto device = train(options, dataset, 2, [&](std::uint32_t) {
    return std::make_unique<OwnThread>(small_model(dataset, 0, "linear", kDevice));
  });
  EXPECT_EQ(device[0].parameters_hash, train_on({kHost, kHost})[0].parameters_hash);
}

// Fails when its first gradient is handed over.
class FailingLate final : public ForwardingModel {
 public:
  using ForwardingModel::ForwardingModel;
  double accumulate_gradients(const Batch& batch, double scale, const GradientReady& ready) override {
    return ForwardingModel::accumulate_gradients(batch, scale, [&](std::uint32_t param) {
      ready(param);
      throw std::runtime_error("out of paper");
    });
  }
};

TEST_F(OnDevice, MayFailWithBucketsUnderWay) {
  const auto words = train_failing(options, dataset, 2, [&](std::uint32_t rank) -> std::unique_ptr<Model> {
    auto model = small_model(dataset, 0, "linear", kDevice);
    if (rank == 0) return model;
    return std::make_unique<FailingLate>(std::move(model));
  });
  EXPECT_THAT(words[0], testing::AllOf(HasSubstr("rank 1"), HasSubstr("out of paper")));
  EXPECT_EQ(words[1], "out of paper");
}

TEST(Place, IsDealtByLocalRankOrNamed) {
  EXPECT_EQ(place_of(parse_device("cpu"), 5).backend, Backend::simd);
  EXPECT_EQ(device_name(place_of(parse_device("cuda"), 0)), "cuda:0");
  EXPECT_EQ(device_name(place_of(parse_device("cuda:0"), 5)), "cuda:0");
  EXPECT_LT(place_of(parse_device("cuda"), 1000).device, 1000u);
  try {
    place_of(parse_device("cuda:1000"), 0);
    FAIL() << "cuda:1000 was accepted";
  } catch (const UsageError& error) {
    EXPECT_THAT(error.what(), HasSubstr("--device cuda:1000: the devices here are cuda:0 to cuda:"));
  }
}

}  // namespace
}  // namespace tw::trainer
