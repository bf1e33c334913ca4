// The loop with parameters on a CUDA device, ranks as threads: it ends with the bits of the host's, alone or beside it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tightwire/error.hpp>

#include "tests/trainer/support.hpp"
#include "trainer/device.hpp"
#include "trainer/parameters_hash.hpp"

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
