#include "trainer/job.hpp"

#include <exception>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include <tightwire/connect.hpp>

#include "trainer/dataset.hpp"
#include "trainer/model.hpp"
#include "trainer/trainer.hpp"

namespace tw::trainer {
namespace {

Summary train_rank(const TrainOptions& options, const Dataset& dataset, TransportPtr transport, std::ostream& told) {
  auto model = make_model(options.model, {dataset.features, dataset.classes, options.seed});
  Trainer trainer(options, dataset, std::move(model), std::move(transport), told);
  return trainer.run();
}

// What the ranks of one process came to. When one fails, the others fail because of it: theirs is the lesser news.
class Outcomes {
 public:
  void add(std::uint32_t rank, const Summary& summary) {
    const std::lock_guard lock(mutex_);
    if (rank == 0) summary_ = summary;
  }
  void add_failure(std::exception_ptr failure, bool of_a_peer) {
    const std::lock_guard lock(mutex_);
    if (!failure_ || (failure_of_a_peer_ && !of_a_peer)) failure_ = std::move(failure), failure_of_a_peer_ = of_a_peer;
  }
  Summary take() {
    if (failure_) std::rethrow_exception(failure_);
    return std::move(summary_);
  }

 private:
  std::mutex mutex_;
  Summary summary_;
  std::exception_ptr failure_;
  bool failure_of_a_peer_ = false;
};

Summary train_threads(const TrainOptions& options, std::uint32_t ranks, std::ostream& told) {
  const Dataset dataset = load_dataset(options.dataset, options.data_dir);
  auto transports = connect_threads(ranks, {options.transport, options.interface, options.deadline_seconds});
  Outcomes outcomes;
  {
    std::vector<std::jthread> threads;
    for (std::uint32_t rank = 0; rank < ranks; ++rank)
      threads.emplace_back([&, rank] {
        try {
          outcomes.add(rank, train_rank(options, dataset, std::move(transports[rank]), told));
        } catch (const PeerError&) {
          outcomes.add_failure(std::current_exception(), true);
        } catch (...) {
          outcomes.add_failure(std::current_exception(), false);
        }
      });
  }
  return outcomes.take();
}

}  // namespace

Summary run_job(const TrainOptions& asked, std::ostream& told) {
  TrainOptions options = asked;
  if (options.transport == "auto") options.transport = "loopback";
  return train_threads(options, options.ranks.value_or(1), told);
}

}  // namespace tw::trainer
