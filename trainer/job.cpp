#include "trainer/job.hpp"

#include <exception>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include <tightwire/connect.hpp>

#include "kernels/base/check.hpp"
#include "tools/device.hpp"
#include "trainer/dataset.hpp"
#include "trainer/model.hpp"
#include "trainer/trainer.hpp"

namespace tw::trainer {
namespace {

// `exec`: the rank's place.
Summary train_rank(const TrainOptions& options, const Exec& exec, const Dataset& dataset, TransportPtr transport,
                   std::ostream& told) {
  auto model = make_model(options.model, {dataset.features, dataset.classes, options.seed, exec});
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
  std::vector<Exec> places;
  for (std::uint32_t rank = 0; rank < ranks; ++rank) places.push_back(place_of(parse_device(options.device), rank));
  const Dataset dataset = load_dataset(options.dataset, options.data_dir);
  auto transports = connect_threads(ranks, {options.transport, options.interface, options.deadline_seconds});
  Outcomes outcomes;
  {
    std::vector<std::jthread> threads;
    for (std::uint32_t rank = 0; rank < ranks; ++rank)
      threads.emplace_back([&, rank] {
        try {
          outcomes.add(rank, train_rank(options, places[rank], dataset, std::move(transports[rank]), told));
        } catch (const PeerError&) {
          outcomes.add_failure(std::current_exception(), true);
        } catch (...) {
          outcomes.add_failure(std::current_exception(), false);
        }
      });
  }
  return outcomes.take();
}

// Ranks of other processes cannot be reached over these.
bool in_one_process(const std::string& transport) { return transport.find("loopback") != std::string::npos; }

// What the environment and --rank say; --ranks alone may only agree with a launcher.
LaunchInfo launch_of(const TrainOptions& options, const LaunchInfo::Lookup& lookup) {
  LaunchInfo::Flags flags;
  if (options.rank) flags.rank = options.rank, flags.ranks = options.ranks;
  LaunchInfo launch = LaunchInfo::from(lookup, flags);
  TW_CHECK(launch.launcher == "none" || !options.ranks || launch.ranks == *options.ranks, UsageError, "--ranks is ",
           *options.ranks, ", but ", launch.launcher, " started ", launch.ranks);
  return launch;
}

}  // namespace

JobPlan plan_job(const TrainOptions& options, const LaunchInfo::Lookup& lookup) {
  JobPlan plan;
  plan.launch = launch_of(options, lookup);
  const bool launched = plan.launch.launcher != "none";
  const bool alone = !launched && options.lab.empty();
  plan.transport = options.transport != "auto" ? options.transport : alone ? "loopback" : "tcp";
  plan.ranks = launched ? plan.launch.ranks : options.ranks.value_or(1);
  if (in_one_process(plan.transport)) {
    TW_CHECK(!launched && options.lab.empty(), UsageError, "transport ", plan.transport,
             " joins threads of one process, but the ranks are processes: ",
             launched ? plan.launch.launcher + " started them" : std::string("--lab was given"));
    plan.part = Part::threads;
  } else {
    plan.part = launched ? Part::rank : Part::launcher;
  }
  return plan;
}

Summary run_job(const TrainOptions& asked, const JobPlan& plan, std::ostream& told) {
  TrainOptions options = asked;
  options.transport = plan.transport;
  if (plan.part == Part::threads) return train_threads(options, plan.ranks, told);
  const Exec place = place_of(parse_device(options.device), plan.launch.local_rank);
  const Dataset dataset = load_dataset(options.dataset, options.data_dir);
  TransportPtr transport =
      connect_from(place, plan.launch, {options.transport, options.interface, options.deadline_seconds});
  return train_rank(options, place, dataset, std::move(transport), told);
}

}  // namespace tw::trainer
