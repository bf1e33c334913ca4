#include "collectives/engine.hpp"

#include <algorithm>
#include <utility>

#include "kernels/base/check.hpp"
#include "kernels/base/float_mode.hpp"

namespace tw {
namespace {

constexpr double kSettleSeconds = 5;  // for the device to finish what was enqueued before a failure
constexpr double kIdleSeconds = 1.0;  // how long the thread may sleep at most: whatever happens wakes it earlier

class CallOperation final : public Operation {
 public:
  CallOperation(Group& group, std::function<void(Group&)> call) : group_(group), call_(std::move(call)) {}
  Progress advance() override {
    call_(group_);
    return Progress::complete;
  }
  Wait waiting_for() const override { return {group_.rank(), "a call on the communicator's thread"}; }

 private:
  Group& group_;
  std::function<void(Group&)> call_;
};

}  // namespace

Engine::Engine(TransportPtr transport, const Exec& place, std::function<void(const std::string&)> log)
    : transport_(std::move(transport)),
      rank_(transport_->rank()),
      ranks_(transport_->ranks()),
      place_(place),
      group_(*transport_, place),
      log_(std::move(log)),
      thread_([this] { loop(); }) {}

Engine::~Engine() {
  stop();
  group_.settle();
  std::optional<cuda::CurrentDevice> current;
  make_device_current(current);
  active_.clear();
  transport_.reset();  // it may use the buffers of unfinished sends until then
}

// Calls of CUDA that name no device go to the current one, and make it a context there: those of a transport, too.
// Where there is no such device, what is done there says it better.
void Engine::make_device_current(std::optional<cuda::CurrentDevice>& current) const noexcept {
  if (place_.backend != Backend::cuda) return;
  try {
    current.emplace(place_.device);
  } catch (const CudaError&) {
  }
}

void Engine::stop() noexcept {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  transport_->wake();
  thread_.join();
}

std::shared_ptr<Ticket> Engine::submit(std::shared_ptr<Operation> operation) {
  auto ticket = std::make_shared<Ticket>();
  {
    const std::lock_guard lock(mutex_);
    if (failure_) failure_->raise();
    submitted_.push_back({std::move(operation), ticket});
  }
  transport_->wake();
  return ticket;
}

void Engine::wait(const std::shared_ptr<Ticket>& ticket, Deadline deadline) {
  const auto begin = Deadline::Clock::now();
  const double encode = counters().encode_seconds, decode = counters().decode_seconds;
  std::unique_lock lock(mutex_);
  const auto done = [&] { return ticket->done(); };
  if (!changed_.wait_until(lock, deadline.at(), done)) {
    overdue_ = ticket;
    transport_->wake();
    changed_.wait(lock, done);
  }
  add_waited(std::chrono::duration<double>(Deadline::Clock::now() - begin).count(), encode, decode);
  if (ticket->failure_) ticket->failure_->raise();
}

// What the thread encoded and decoded meanwhile is what was waited for; the rest of the wait was the wire's.
void Engine::add_waited(double seconds, double encode_before, double decode_before) {
  const double encode = std::min(seconds, counters().encode_seconds - encode_before);
  const double decode = std::min(seconds - encode, counters().decode_seconds - decode_before);
  waited_.encode += encode;
  waited_.decode += decode;
  waited_.comm += seconds - encode - decode;
}

void Engine::run(std::function<void(Group&)> call) {
  const auto ticket = submit(std::make_shared<CallOperation>(group_, std::move(call)));
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return ticket->done(); });
  if (ticket->failure_) ticket->failure_->raise();
}

void Engine::fail(Failure failure) {
  {
    const std::lock_guard lock(mutex_);
    if (!failure_ && !requested_failure_) requested_failure_ = std::move(failure);
  }
  transport_->wake();
}

void Engine::loop() {
  const ScopedFloatMode mode(FloatMode::ieee);  // the thread that made this one may flush denormals
  std::optional<cuda::CurrentDevice> current;
  make_device_current(current);
  try {
    while (take_orders() == Orders::go_on) {
      const bool busy = advance_all();
      transport_->progress(busy ? Deadline(Deadline::Clock::now()) : Deadline::in(kIdleSeconds));
    }
    if (active_.empty()) return;
    give_up(Failure(PeerError(rank_, detail::concat("rank ", rank_, " closed its communicator with work in flight"))));
  } catch (...) {
    give_up(Failure::current());
  }
}

Engine::Orders Engine::take_orders() {
  std::shared_ptr<Ticket> overdue;
  {
    const std::lock_guard lock(mutex_);
    for (Active& active : submitted_) active_.push_back(std::move(active));
    submitted_.clear();
    if (requested_failure_) requested_failure_->raise();
    if (stopping_) return Orders::stop;
    overdue = std::exchange(overdue_, nullptr);
  }
  if (overdue && !overdue->done()) throw_overdue(overdue);
  return Orders::go_on;
}

// True if there is more to do without waiting for anything to arrive.
bool Engine::advance_all() {
  bool busy = false;
  for (auto active = active_.begin(); active != active_.end();) {
    const Operation::Progress progress = active->operation->advance();
    busy |= progress != Operation::Progress::waiting;
    // Between two chunks of work the wire must not run dry.
    if (progress == Operation::Progress::more) transport_->progress(Deadline(Deadline::Clock::now()));
    if (progress == Operation::Progress::complete) {
      complete(active->ticket);
      active = active_.erase(active);
    } else {
      ++active;
    }
  }
  return busy;
}

void Engine::complete(const std::shared_ptr<Ticket>& ticket) {
  const std::lock_guard lock(mutex_);
  ticket->done_.store(true, std::memory_order_release);
  changed_.notify_all();
}

void Engine::throw_overdue(const std::shared_ptr<Ticket>& ticket) {
  const auto found = std::find_if(active_.begin(), active_.end(), [&](const Active& a) { return a.ticket == ticket; });
  const Operation::Wait wait = found->operation->waiting_for();
  const std::uint32_t culprit = transport_->silent_peer().value_or(wait.peer);
  if (culprit != wait.peer)
    throw PeerError(culprit, detail::concat("rank ", culprit, " has gone silent; rank ", rank_,
                                            " was waiting for rank ", wait.peer, ": ", wait.what));
  throw PeerError(culprit,
                  detail::concat("rank ", rank_, " waited for rank ", culprit, " until the deadline: ", wait.what));
}

void Engine::give_up(Failure failure) {
  if (voted_.load(std::memory_order_relaxed)) failure.mark_uncertain();
  transport_->abort(failure.culprit().value_or(rank_), failure.message());
  group_.settle(kSettleSeconds);  // whoever is told that a bucket is over may use its tensors again
  if (log_) log_(failure.message());
  const std::lock_guard lock(mutex_);
  for (Active& active : submitted_) active_.push_back(std::move(active));
  submitted_.clear();
  for (Active& active : active_) {
    active.ticket->failure_ = failure;
    active.ticket->done_.store(true, std::memory_order_release);
  }
  failure_ = std::move(failure);
  changed_.notify_all();
}

}  // namespace tw
