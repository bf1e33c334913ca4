#include "tests/ptxrun/src/late.hpp"
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <mutex>
#include <set>
#include <thread>

namespace ptxrun {
namespace {

struct Queue {
  std::mutex mutex;
  std::condition_variable arrived, finished;
  std::deque<std::function<void()>> work;
  std::multiset<std::uint64_t> awaited;  // whom to wake: who waits for how much
  std::uint64_t handed_over = 0, done = 0;
  std::thread::id thread;

  void run() {
    std::unique_lock lock(mutex);
    for (;;) {
      arrived.wait(lock, [&] { return !work.empty(); });
      std::function<void()> next = std::move(work.front());
      work.pop_front();
      lock.unlock();
      next();
      next = nullptr;
      lock.lock();
      ++done;
      if (!awaited.empty() && *awaited.begin() <= done) finished.notify_all();
    }
  }
};

// Never destroyed: its thread may outlive static objects.
Queue& queue() {
  static Queue& q = *[] {
    auto* made = new Queue;
    std::thread thread([made] { made->run(); });
    made->thread = thread.get_id();
    thread.detach();
    return made;
  }();
  return q;
}

}  // namespace

bool late() {
  static const bool is_late = std::getenv("PTXRUN_LATE") && std::atoi(std::getenv("PTXRUN_LATE"));
  return is_late;
}

void do_later(std::function<void()> work) {
  Queue& q = queue();
  std::lock_guard lock(q.mutex);
  q.work.push_back(std::move(work));
  ++q.handed_over;
  q.arrived.notify_one();
}

void drain() {
  if (!late()) return;
  Queue& q = queue();
  std::unique_lock lock(q.mutex);
  if (std::this_thread::get_id() == q.thread) return;
  const auto mine = q.awaited.insert(q.handed_over);
  q.finished.wait(lock, [&] { return q.done >= *mine; });
  q.awaited.erase(mine);
}

std::uint64_t handed_over() {
  std::lock_guard lock(queue().mutex);
  return queue().handed_over;
}

bool is_done(std::uint64_t count) {
  std::lock_guard lock(queue().mutex);
  return queue().done >= count;
}

}  // namespace ptxrun
