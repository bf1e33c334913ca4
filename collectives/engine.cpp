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

void Engine::wait(const std::shared_ptr<Ticket>& ticket, Deadline deadline) { wait({ticket, Until::done}, deadline); }

void Engine::join(const std::shared_ptr<Ticket>& ticket, const Exec& exec, Deadline deadline) {
  wait({ticket, Until::enqueued}, deadline);
  if (ticket->result_ != nullptr) ticket->result_->precede(exec);
}

void Engine::wait(const Awaited& awaited, Deadline deadline) {
  const auto begin = Deadline::Clock::now();
  const double encode = counters().encode_seconds, decode = counters().decode_seconds;
  std::unique_lock lock(mutex_);
  const auto is_here = [&] { return awaited.is_here(); };
  if (!changed_.wait_until(lock, deadline.at(), is_here)) {
    overdue_ = awaited;
    transport_->wake();
    changed_.wait(lock, is_here);
  }
  add_waited(std::chrono::duration<double>(Deadline::Clock::now() - begin).count(), encode, decode);
  if (awaited.ticket->failure_) awaited.ticket->failure_->raise();
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

void Engine::log(const std::string& text) const noexcept {
  try {
    if (log_) log_(text);
  } catch (...) {  // the user's; this thread has others to serve
  }
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
    const auto awaited = std::exchange(overdue_, std::nullopt);
    if (awaited && !awaited->is_here()) overdue = awaited->ticket;
  }
  if (overdue) throw_overdue(*overdue);
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
      announce(*active);
      ++active;
    }
  }
  return busy;
}

// Whoever wants to go on on the device may.
void Engine::announce(const Active& active) {
  const cuda::Event* result = active.operation->result();
  if (result == active.ticket->result_) return;
  const std::lock_guard lock(mutex_);
  active.ticket->result_ = result;
  changed_.notify_all();
}

void Engine::complete(const std::shared_ptr<Ticket>& ticket) {
  const std::lock_guard lock(mutex_);
  ticket->done_.store(true, std::memory_order_release);
  changed_.notify_all();
}

void Engine::throw_overdue(const Ticket& ticket) {
  const auto found =
      std::find_if(active_.begin(), active_.end(), [&](const Active& a) { return a.ticket.get() == &ticket; });
  const Operation::Wait wait = blamed(*found->operation);
  const std::uint32_t culprit = transport_->silent_peer().value_or(*wait.peer);
  if (culprit != *wait.peer)
    throw PeerError(culprit, detail::concat("rank ", culprit, " has gone silent; rank ", rank_,
                                            " was waiting for rank ", *wait.peer, ": ", wait.what));
  throw PeerError(culprit,
                  detail::concat("rank ", rank_, " waited for rank ", culprit, " until the deadline: ", wait.what));
}

// An operation that waits for something of this rank's own, or for nobody knows whom, may stand behind one that knows
// the other rank. This rank is blamed where nothing waits for others.
Operation::Wait Engine::blamed(const Operation& overdue) const {
  const Operation::Wait wait = overdue.waiting_for();
  if (wait.peer && *wait.peer != rank_) return wait;
  std::optional<Operation::Wait> unknown;
  for (const Active& active : active_) {
    Operation::Wait other = active.operation->waiting_for();
    if (other.peer == rank_) continue;
    if (other.what != wait.what) other.what += ", and behind it for " + wait.what;
    if (other.peer) return other;
    if (!unknown) unknown = std::move(other);
  }
  if (!unknown) return wait;
  unknown->peer = (rank_ + 1) % ranks_;
  if (ranks_ > 2) unknown->what += " (or for another rank: the transport does not tell)";
  return *unknown;
}

void Engine::give_up(Failure failure) {
  if (voted_.load(std::memory_order_relaxed)) failure.mark_uncertain();
  transport_->abort(failure.culprit().value_or(rank_), failure.message());
  group_.settle(kSettleSeconds);  // whoever is told that a bucket is over may use its tensors again
  const std::string message = failure.message();
  fail_all(std::move(failure));
  log(message);
}

void Engine::fail_all(Failure failure) {
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
