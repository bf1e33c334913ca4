#include "trainer/trainer.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

#include "collectives/registration.hpp"
#include "kernels/base/check.hpp"
#include "kernels/base/float_mode.hpp"
#include "tools/device.hpp"
#include "trainer/configuration.hpp"
#include "trainer/evaluation.hpp"
#include "trainer/parameters_hash.hpp"
#include "trainer/schedule.hpp"

namespace tw::trainer {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

}  // namespace

Trainer::Trainer(const TrainOptions& options, const Dataset& dataset, std::unique_ptr<Model> model,
                 TransportPtr transport, std::ostream& told)
    : options_(options),
      dataset_(dataset),
      model_(std::move(model)),
      communicator_(std::move(transport), options.communicator_options(model_->exec())),
      optimizer_(model_->exec(), model_->params(), {options.momentum, options.weight_decay}),
      sampler_({dataset.train.count(), communicator_.rank(), communicator_.ranks(), options.batch * options.accumulate},
               options.seed),
      total_steps_(options.total_steps(dataset.train.count(), communicator_.ranks())),
      configuration_(describe_training(options, dataset, communicator_.ranks())),
      metrics_(communicator_.rank() == 0 ? options.metrics : std::string()),
      progress_(told,
                options.quiet || communicator_.rank() != 0 ? Progress::Style::none : Progress::for_standard_error(),
                total_steps_) {}

Summary Trainer::run() {
  try {
    prepare();
    // Denormals among activations and gradients cost a hundred cycles each.
    const ScopedFloatMode mode(FloatMode::flush_denormals);
    const std::uint64_t end = options_.stop_after == 0 ? total_steps_ : std::min(options_.stop_after, total_steps_);
    while (step_ < end) {
      const std::uint64_t epoch = sampler_.epoch();
      train_step();
      after_step(epoch);
    }
    validate();
    if (!options_.checkpoint.empty()) checkpoint();
    return summarise();
  } catch (const std::exception& error) {
    if (!in_common_) communicator_.abort(error.what());
    throw;
  }
}

void Trainer::prepare() {
  set_compute_threads(options_.threads);
  const auto gather_bytes = [&](std::span<const std::byte> blob) { return communicator_.all_gather(blob, deadline()); };
  in_common([&] { agree(configuration_, gather_bytes); });
  if (options_.exchange) {
    const auto params = model_->params();
    auto buckets = plan_buckets(params, options_.bucket_bytes, options_.communicator_options(model_->exec()),
                                communicator_.ranks());
    communicator_.register_parameters({params.begin(), params.end()}, buckets);
    exchange_.emplace(communicator_, *model_, std::move(buckets));
  }
  if (!options_.resume.empty()) resume();
  if (exchange_) compare_parameters("at the start");
}

void Trainer::compare_parameters(const std::string& when) {
  in_common([&] { compare_hashes(communicator_, parameters_hash(*model_), when, deadline()); });
}

void Trainer::resume() {
  const TrainingPosition position =
      load_checkpoint(options_.resume, {*model_, optimizer_, communicator_, options_.exchange, configuration_});
  const std::vector<std::uint64_t> steps = gather(position.step);
  for (std::uint32_t rank = 0; rank < steps.size(); ++rank)
    TW_CHECK(steps[rank] == steps[0], UsageError, "the checkpoint of rank 0 is of step ", steps[0], ", that of rank ",
             rank, " of step ", steps[rank], "; all must come from the same one");
  TW_CHECK(position.step <= total_steps_, UsageError, options_.resume, " is of step ", position.step, "; --steps ",
           total_steps_, " is the total and must not be below that");
  step_ = first_step_ = position.step;
  sampler_.seek(position.position);
}

void Trainer::train_step() {
  static const Model::GradientReady kNobody;
  const Model::GradientReady ready = [&](std::uint32_t param) { exchange_->ready(param); };
  const std::uint64_t epoch = sampler_.epoch();
  const double rate = learning_rate();
  const Stats before = communicator_.stats();
  const auto begin = Clock::now();
  if (exchange_) exchange_->begin({step_, rate, 1});
  const std::span<const std::uint32_t> samples = sampler_.next();
  loss_ = 0;
  for (std::uint64_t pass = 0; pass < options_.accumulate; ++pass) {
    const bool last = pass + 1 == options_.accumulate;
    batch_.fill(dataset_, dataset_.train, samples.subspan(pass * options_.batch, options_.batch));
    const double share = 1.0 / static_cast<double>(options_.accumulate);
    loss_ += share * model_->accumulate_gradients(batch_, share, last && exchange_ ? ready : kNobody);
  }
  const StepOutcome outcome = descend(rate);
  model_->forget_gradients();
  const StepTimes times = step_times(seconds_since(begin), before, communicator_.stats());
  ++step_;
  statistics_.add(times);
  metrics_.step({step_, epoch, loss_, rate, times, outcome});
  if (!outcome.committed) progress_.note("step " + std::to_string(step_) + " skipped: " + outcome.reason);
  progress_.step(step_, loss_, times.total);
}

StepOutcome Trainer::descend(double rate) {
  if (exchange_) return exchange_->finish([&](const Piece& piece) { apply(piece, rate); }, options_.deadline_seconds);
  for (const Param& param : model_->params()) {
    const std::span<float> gradient = model_->gradient(param.id);
    if (!gradient.empty()) apply({&param, 0, {gradient.data(), DType::f32, gradient.size()}}, rate);
  }
  return {};
}

void Trainer::apply(const Piece& piece, double rate) {
  const std::uint32_t param = piece.param->id;
  optimizer_.apply(model_->exec(),
                   {param,
                    piece.first,
                    model_->values(param).subspan(piece.first, piece.data.count),
                    {static_cast<const float*>(piece.data.data), piece.data.count}},
                   rate);
}

double Trainer::learning_rate() const {
  const double done = static_cast<double>(step_) / static_cast<double>(std::max<std::uint64_t>(1, total_steps_));
  return options_.learning_rate * find_schedule(options_.schedule).factor(done);
}

void Trainer::after_step(std::uint64_t epoch_before) {
  const bool last = step_ == total_steps_;
  if (exchange_ && options_.hash_every != 0 && (last || step_ % options_.hash_every == 0))
    compare_parameters("after step " + std::to_string(step_));
  if (sampler_.epoch() != epoch_before && !last) validate();
  if (options_.checkpoint_every != 0 && step_ % options_.checkpoint_every == 0 && !last) checkpoint();
}

// Without exchange, where replicas differ, this is the mean over them.
void Trainer::validate() {
  const Evaluation share = evaluate_share(*model_, dataset_, communicator_.rank(), communicator_.ranks());
  evaluation_ = {};
  for (const Evaluation& part : gather(share)) evaluation_ = evaluation_ + part;
  metrics_.validation(step_, evaluation_);
  progress_.note(detail::concat("step ", step_, ": test accuracy ", evaluation_.accuracy()));
}

void Trainer::checkpoint() {
  save_checkpoint(options_.checkpoint, {*model_, optimizer_, communicator_, options_.exchange, configuration_},
                  {step_, sampler_.position()}, deadline());
}

template <class T>
std::vector<T> Trainer::gather(const T& value) {
  const std::vector<std::byte> bytes = communicator_.all_gather(std::as_bytes(std::span(&value, 1)), deadline());
  std::vector<T> values(bytes.size() / sizeof(T));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

Summary Trainer::summarise() {
  const Stats stats = communicator_.stats();
  const std::uint64_t ranks = communicator_.ranks();
  Summary summary;
  summary.rank = communicator_.rank();
  summary.ranks = communicator_.ranks();
  summary.transport = options_.transport;
  summary.device = device_name(model_->exec());
  summary.steps = step_;
  summary.first_step = first_step_;
  summary.warmup_steps = statistics_.warmup_steps();
  for (const Param& param : model_->params()) summary.parameters += param.count();
  summary.step_seconds_median = statistics_.median_seconds();
  summary.mean = statistics_.mean();
  for (const std::uint64_t bytes : gather(summary.mean.sent_bytes)) summary.wire_bytes_per_step += bytes;
  summary.wire_bytes_per_step /= ranks;
  summary.dense_bytes_per_step = 2 * (ranks - 1) * sizeof(float) * summary.parameters / ranks;
  summary.skipped_steps = stats.skipped_steps;
  summary.state_bytes = stats.state_bytes;
  if (exchange_) {
    summary.absent_gradients = exchange_->absent_gradients();
    summary.buckets = exchange_->buckets();
    summary.overlapped_buckets = exchange_->overlapped_buckets();
  }
  summary.test_accuracy = evaluation_.accuracy();
  summary.test_loss = evaluation_.mean_loss();
  double losses = 0;
  for (const double loss : gather(loss_)) losses += loss;
  if (step_ != first_step_) summary.final_loss = losses / static_cast<double>(ranks);
  summary.parameters_hash = hash_text(parameters_hash(*model_));
  return summary;
}

}  // namespace tw::trainer
