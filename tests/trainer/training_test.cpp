// The loop as a whole, ranks as threads: what may not change the parameters, and what must not go wrong.
#include "trainer/trainer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <sstream>
#include <thread>

#include "tests/trainer/support.hpp"

namespace tw::trainer {
namespace {

using testing::Each;
using testing::HasSubstr;

class Training : public testing::Test {
 protected:
  const Dataset dataset = small_dataset();
  TrainOptions options = quick_options();
};

TEST_F(Training, LearnsAndEndsAlikeOnAllRanks) {
  options.steps = 60;
  const auto summaries = train(options, dataset, 3);
  EXPECT_GT(summaries[0].test_accuracy, 0.9);
  EXPECT_LT(summaries[0].test_loss, 0.5);
  for (const Summary& summary : summaries) {
    EXPECT_EQ(summary.parameters_hash, summaries[0].parameters_hash);
    EXPECT_EQ(summary.test_accuracy, summaries[0].test_accuracy);
    EXPECT_EQ(summary.final_loss, summaries[0].final_loss);
  }
}

TEST_F(Training, IsTheSameEveryTimeAndAnotherWithAnotherSeed) {
  const std::string hash = train(options, dataset, 2)[0].parameters_hash;
  EXPECT_EQ(train(options, dataset, 2)[0].parameters_hash, hash);
  options.seed = 1;
  EXPECT_NE(train(options, dataset, 2)[0].parameters_hash, hash);
}

TEST_F(Training, DoesNotDependOnBuckets) {
  for (const char* codec : {"identity", "int8:block=32+ef", "topk:ratio=0.1+ef"}) {
    options.codec = codec;
    options.bucket_bytes = 1u << 20;
    const Summary whole = train(options, dataset, 2)[0];
    EXPECT_EQ(whole.buckets, 1u);
    options.bucket_bytes = 256;
    const Summary cut = train(options, dataset, 2)[0];
    EXPECT_EQ(cut.parameters_hash, whole.parameters_hash) << codec;
    EXPECT_GT(cut.buckets, 1u);
  }
}

TEST_F(Training, OnMoreRanksEqualsOneRankWithTheirBatches) {
  const Summary shared = train(options, dataset, 4)[0];
  options.batch *= 4;
  const Summary alone = train(options, dataset, 1)[0];
  EXPECT_NEAR(*shared.final_loss, *alone.final_loss, 1e-5);
  EXPECT_NEAR(shared.test_loss, alone.test_loss, 1e-5);
}

TEST_F(Training, WithAccumulationEqualsABiggerBatch) {
  options.accumulate = 4;
  const Summary accumulated = train(options, dataset, 2)[0];
  options.accumulate = 1;
  options.batch *= 4;
  const Summary big = train(options, dataset, 2)[0];
  EXPECT_NEAR(*accumulated.final_loss, *big.final_loss, 1e-5);
  EXPECT_NEAR(accumulated.test_loss, big.test_loss, 1e-5);
}

TEST_F(Training, WithoutExchangeSendsNothingAStep) {
  options.exchange = false;
  const auto summaries = train(options, dataset, 2);
  EXPECT_EQ(summaries[0].wire_bytes_per_step, 0u);
  EXPECT_NE(summaries[0].parameters_hash, summaries[1].parameters_hash);
  EXPECT_EQ(summaries[0].test_accuracy, summaries[1].test_accuracy);
}

TEST_F(Training, TimesAddUpToTheStep) {
  const Summary summary = train(options, dataset, 2)[0];
  const StepTimes& mean = summary.mean;
  EXPECT_NEAR(mean.compute + mean.encode + mean.exposed_comm + mean.decode, mean.total, 1e-9);
  EXPECT_GT(summary.wire_bytes_per_step, summary.dense_bytes_per_step);
}

TEST_F(Training, RanksWithOtherSettingsRefuseEachOther) {
  auto transports = connect_threads(2, {.transport = "loopback"});
  std::vector<std::string> words(2);
  std::vector<std::jthread> threads;
  for (std::uint32_t rank = 0; rank < 2; ++rank)
    threads.emplace_back([&, rank] {
      TrainOptions own = options;
      own.learning_rate = rank == 0 ? 0.1 : 0.1000001;
      std::ostringstream told;
      try {
        Trainer(own, dataset, small_model(dataset, 0), std::move(transports[rank]), told).run();
      } catch (const std::exception& error) {  // its own, or word of the other's that came sooner
        words[rank] = error.what();
      }
    });
  threads.clear();
  EXPECT_THAT(words, Each(HasSubstr("'learning rate: 0.1' against 'learning rate: 0.1000001'")));
}

// Spoils one gradient of one rank in one step.
class Poisoned final : public ForwardingModel {
 public:
  Poisoned(std::unique_ptr<Model> inner, float poison) : ForwardingModel(std::move(inner)), poison_(poison) {}
  double accumulate_gradients(const Batch& batch, double scale, const GradientReady& ready) override {
    const double loss = ForwardingModel::accumulate_gradients(batch, scale, nullptr);
    if (++steps_ == 3 && poison_ != 0) gradient(0)[7] = poison_;
    for (const std::uint32_t param : {1u, 0u}) ready(param);
    return loss;
  }

 private:
  const float poison_;
  int steps_ = 0;
};

TEST_F(Training, SkipsAStepAlikeWhenAGradientIsNotFinite) {
  for (const float poison : {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()})
    for (const char* codec : {"identity", "int8:block=32+ef", "onebit:block=32+ef", "topk:ratio=0.1+ef"}) {
      options.codec = codec;
      const auto summaries = train(options, dataset, 3, [&](std::uint32_t rank) {
        return std::make_unique<Poisoned>(small_model(dataset, 0), rank == 1 ? poison : 0.0f);
      });
      for (const Summary& summary : summaries) {
        EXPECT_EQ(summary.skipped_steps, 1u) << codec;
        EXPECT_TRUE(std::isfinite(summary.test_loss)) << codec;
      }
    }
}

// Has zeros for one parameter's gradient.
class Zeroed final : public ForwardingModel {
 public:
  Zeroed(std::unique_ptr<Model> inner, bool zeroed) : ForwardingModel(std::move(inner)), zeroed_(zeroed) {}
  double accumulate_gradients(const Batch& batch, double scale, const GradientReady& ready) override {
    return ForwardingModel::accumulate_gradients(batch, scale, [&](std::uint32_t param) {
      for (float& slope : gradient(param)) slope = zeroed_ && param == 1 ? 0 : slope;
      ready(param);
    });
  }

 private:
  const bool zeroed_;
};

TEST_F(Training, CountsAMissingGradientAsZerosAndStaysEqual) {
  const auto summaries =
      train(options, dataset, 2, [&](std::uint32_t rank) { return partial_model(small_model(dataset, 0), rank == 1); });
  EXPECT_EQ(summaries[0].absent_gradients, 0u);
  EXPECT_EQ(summaries[1].absent_gradients, 6u);
  EXPECT_EQ(summaries[0].parameters_hash, summaries[1].parameters_hash);
  const auto zeroed = train(options, dataset, 2, [&](std::uint32_t rank) {
    return std::make_unique<Zeroed>(small_model(dataset, 0), rank == 1);
  });
  EXPECT_EQ(summaries[0].parameters_hash, zeroed[0].parameters_hash);
}

TEST_F(Training, TellsTheOthersWhyARankFails) {
  class Failing final : public ForwardingModel {
   public:
    using ForwardingModel::ForwardingModel;
    double accumulate_gradients(const Batch&, double, const GradientReady&) override {
      throw std::runtime_error("out of paper");
    }
  };
  const auto words = train_failing(options, dataset, 2, [&](std::uint32_t rank) -> std::unique_ptr<Model> {
    if (rank == 0) return small_model(dataset, 0);
    return std::make_unique<Failing>(small_model(dataset, 0));
  });
  EXPECT_THAT(words[0], testing::AllOf(HasSubstr("rank 1"), HasSubstr("out of paper")));
  EXPECT_EQ(words[1], "out of paper");
}

}  // namespace
}  // namespace tw::trainer
