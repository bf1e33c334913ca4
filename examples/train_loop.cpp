// Data-parallel logistic regression on synthetic data, ranks as threads: all that a training loop needs of Tightwire.
//   train_loop [RANKS [CODEC]]        train_loop 4 topk:ratio=0.1+ef
#include <cmath>
#include <cstdio>
#include <random>
#include <thread>

#include <tightwire/communicator.hpp>

constexpr std::uint64_t kFeatures = 512, kSamples = 256, kSteps = 150;
constexpr float kRate = 0.5f;

// Trains on this rank's own samples; returns their mean loss before the last step.
float train(tw::TransportPtr transport, const std::string& codec) {
  tw::Communicator comm(std::move(transport), {.codec = codec});
  std::mt19937 random(comm.rank());
  std::normal_distribution<float> normal;
  std::vector<float> x(kSamples * kFeatures), y(kSamples, 2), error(kSamples);
  for (std::uint64_t k = 0; k < x.size(); ++k) y[k / kFeatures] += (x[k] = normal(random)) * (k % 3 ? -0.5f : 1.0f);

  std::vector<float> weight(kFeatures), weight_gradient(kFeatures), bias(1), bias_gradient(1);
  const std::vector<tw::Param> params{{"weight", 0, 1, kFeatures}, {"bias", 1, 1, 1}};
  comm.register_parameters(params, tw::plan_buckets(params, 1024));  // bucket 0: the bias, bucket 1: the weight
  const tw::Piece bias_piece{&params[1], 0, {bias_gradient.data(), tw::DType::f32, 1}};
  const tw::Piece weight_piece{&params[0], 0, {weight_gradient.data(), tw::DType::f32, kFeatures}};
  float loss = 0;
  for (std::uint64_t step = 0; step < kSteps; ++step) {
    const tw::Deadline deadline = tw::Deadline::in(30);
    comm.begin_step({step, kRate});
    loss = bias_gradient[0] = 0;
    for (std::uint64_t s = 0; s < kSamples; ++s) {
      float logit = bias[0];
      for (std::uint64_t i = 0; i < kFeatures; ++i) logit += weight[i] * x[s * kFeatures + i];
      loss += std::log1p(std::exp(y[s] > 0 ? -logit : logit)) / kSamples;
      bias_gradient[0] += error[s] = (1 / (1 + std::exp(-logit)) - (y[s] > 0 ? 1.0f : 0.0f)) / kSamples;
    }
    tw::Work bias_work = comm.all_reduce({0, {&bias_piece, 1}});  // travels while the weight's is computed
    weight_gradient.assign(kFeatures, 0);
    for (std::uint64_t k = 0; k < x.size(); ++k) weight_gradient[k % kFeatures] += error[k / kFeatures] * x[k];
    tw::Work weight_work = comm.all_reduce({1, {&weight_piece, 1}});
    if (comm.verdict(deadline).commit) {  // no rank met a NaN: means may be applied as they arrive
      bias_work.wait(deadline);
      bias[0] -= kRate * bias_gradient[0];
      weight_work.wait(deadline);
      for (std::uint64_t i = 0; i < kFeatures; ++i) weight[i] -= kRate * weight_gradient[i];
    }
    comm.end_step(deadline);
  }
  return loss;
}

int main(int argc, char** argv) {
  const auto ranks = static_cast<std::uint32_t>(argc > 1 ? std::stoul(argv[1]) : 2);
  std::vector<std::jthread> threads;
  for (tw::TransportPtr& transport : tw::connect_threads(ranks, {.transport = "loopback"}))
    threads.emplace_back([codec = argc > 2 ? argv[2] : "int8+ef", own = std::move(transport)]() mutable {
      std::printf("loss %.4f, untrained 0.6931\n", static_cast<double>(train(std::move(own), codec)));
    });
}
