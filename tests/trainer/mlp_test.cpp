// The model on libtorch: its gradients, that they are announced while backward goes on, and that parameters do not
// depend on how ranks are laid out.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tightwire/error.hpp>

#include "tests/trainer/support.hpp"
#include "trainer/parameters_hash.hpp"

namespace tw::trainer {
namespace {

class Mlp : public testing::Test {
 protected:
  Mlp() {
    set_compute_threads(1);
    const std::vector<std::uint32_t> indices{0, 1, 2, 3, 4};
    batch.fill(dataset, dataset.train, indices);
  }
  std::unique_ptr<Model> make(std::uint64_t seed = 0) const {
    return small_model(dataset, seed, "mlp:hidden=16,layers=2");
  }

  const Dataset dataset = small_dataset();
  Batch batch;
};

TEST_F(Mlp, HasTheDemosShapeByDefault) {
  const auto model = make_model("mlp", {784, 10, 0});
  std::uint64_t count = 0;
  for (const Param& param : model->params()) count += param.count();
  EXPECT_EQ(count, 784u * 2048 + 2048 + 2048 * 2048 + 2048 + 2048 * 10 + 10);
  EXPECT_EQ(model->params()[2].name, "layer1.weight");
  EXPECT_EQ(model->params()[2].rows, 2048u);
}

TEST_F(Mlp, BeginsWithTheSeedsParameters) {
  EXPECT_EQ(parameters_hash(*make(3)), parameters_hash(*make(3)));
  EXPECT_NE(parameters_hash(*make(3)), parameters_hash(*make(4)));
}

TEST_F(Mlp, GradientsAreTheSlopesOfTheLoss) {
  const auto model = make();
  model->accumulate_gradients(batch, 1.0, nullptr);
  for (const Param& param : model->params())
    for (const std::uint64_t i : {std::uint64_t{0}, param.count() / 2, param.count() - 1}) {
      const float slope = model->gradient(param.id)[i];
      float& value = model->values(param.id)[i];
      const float kept = value;
      constexpr float kStep = 1e-2f;
      value = kept + kStep;
      const double above = model->evaluate(batch).loss;
      value = kept - kStep;
      const double below = model->evaluate(batch).loss;
      value = kept;
      EXPECT_NEAR(slope, (above - below) / (2.0 * kStep * 5), 2e-3) << param.name << '[' << i << ']';
    }
}

TEST_F(Mlp, AnnouncesEachGradientWhileBackwardGoesOn) {
  const auto model = make();
  std::vector<std::uint32_t> order;
  model->accumulate_gradients(batch, 1.0, [&](std::uint32_t param) {
    EXPECT_FALSE(model->gradient(param).empty());
    if (param >= 2) {  // the first layer's turn has not come yet
      EXPECT_TRUE(model->gradient(0).empty());
    }
    order.push_back(param);
  });
  ASSERT_EQ(order.size(), 6u);
  for (std::size_t i = 0; i < order.size(); ++i) EXPECT_EQ(order[i] / 2, (5 - i) / 2);  // last layer first
}

TEST_F(Mlp, AnnouncesEveryStepAnew) {
  const auto model = make();
  for (int step = 0; step < 3; ++step) {
    int announced = 0;
    model->accumulate_gradients(batch, 1.0, [&](std::uint32_t) { ++announced; });
    EXPECT_EQ(announced, 6);
    model->forget_gradients();
    EXPECT_TRUE(model->gradient(2).empty());
  }
}

TEST_F(Mlp, AccumulatesOverPasses) {
  const auto once = make(), twice = make();
  once->accumulate_gradients(batch, 1.0, nullptr);
  twice->accumulate_gradients(batch, 0.5, nullptr);
  twice->accumulate_gradients(batch, 0.5, nullptr);
  for (const Param& param : once->params())
    for (std::uint64_t i = 0; i < param.count(); ++i)
      EXPECT_NEAR(once->gradient(param.id)[i], twice->gradient(param.id)[i], 1e-6);
}

TEST_F(Mlp, WhatTheCallbackThrowsComesOut) {
  const auto model = make();
  EXPECT_THROW(model->accumulate_gradients(batch, 1.0, [](std::uint32_t) { throw UsageError("stop"); }), UsageError);
}

TEST_F(Mlp, BucketsLeaveBeforeBackwardEnds) {
  TrainOptions options = quick_options();
  options.model = "mlp:hidden=16,layers=2";
  const Summary summary = train(options, dataset, 2)[0];
  EXPECT_GT(summary.overlapped_buckets, 0u);
  EXPECT_LT(summary.overlapped_buckets, summary.buckets);
}

// There is no such device; and most often libtorch has no CUDA.
TEST_F(Mlp, RefusesADeviceThatLibtorchHasNot) {
  const Exec exec{.backend = Backend::cuda, .device = 63};
  EXPECT_THAT([&] { small_model(dataset, 0, "mlp", exec); },
              testing::ThrowsMessage<Error>(testing::AnyOf(testing::HasSubstr("has no CUDA: name one that has"),
                                                           testing::HasSubstr("no cuda:63 among them"))));
}

TEST_F(Mlp, TrainsToTheSameParametersEveryTime) {
  TrainOptions options = quick_options();
  options.model = "mlp:hidden=64,layers=2";
  options.codec = "topk:ratio=0.1+ef";
  const std::string hash = train(options, dataset, 4)[0].parameters_hash;
  options.bucket_bytes = 1u << 20;
  EXPECT_EQ(train(options, dataset, 4)[3].parameters_hash, hash);
}

}  // namespace
}  // namespace tw::trainer
