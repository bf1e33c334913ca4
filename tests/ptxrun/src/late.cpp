#include "tests/ptxrun/src/late.hpp"
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <mutex>
#include <random>
#include <set>
#include <thread>
#include <utility>
#include <vector>

namespace ptxrun {

struct Lane {
  struct Item {
    std::function<void()> work;
    std::vector<Place> behind;
    Whose whose;
  };
  Minds minds;
  std::deque<Item> items;
  std::uint64_t handed_over = 0, done = 0;
  std::multiset<std::uint64_t> awaited;  // whom to wake: who waits for how much
};

namespace {

std::uint32_t seed() { return std::getenv("PTXRUN_SEED") ? std::uint32_t(std::atoi(std::getenv("PTXRUN_SEED"))) : 0; }

// How long the thread leaves work to those who wait for it, which spares both the waking of each other.
constexpr auto kNap = std::chrono::milliseconds(1);

struct Lanes {
  std::mutex mutex;
  std::condition_variable arrived, finished;
  std::vector<std::shared_ptr<Lane>> all;
  std::shared_ptr<Lane> legacy;
  std::thread::id thread;
  std::minstd_rand draw{seed() + 1};
  bool busy = false;     // somebody does a piece
  bool asked = false;    // of the thread, which is not to nap
  bool asleep = false;   // the thread, until work comes
  bool stirred = false;  // work has come since the thread looked

  static bool reached(const Place& p) { return !p.lane || p.lane->done >= p.count; }
  static bool ready(const std::shared_ptr<Lane>& lane) {
    return !lane->items.empty() &&
           std::all_of(lane->items.front().behind.begin(), lane->items.front().behind.end(), reached);
  }

  std::shared_ptr<Lane> next() {
    std::erase_if(all, [](const auto& lane) { return lane.use_count() == 1 && lane->items.empty(); });
    const auto count = std::count_if(all.begin(), all.end(), ready);
    if (count == 0) return nullptr;
    auto drawn = std::uint32_t(draw() % std::uint32_t(count));
    return *std::find_if(all.begin(), all.end(), [&](const auto& lane) { return ready(lane) && drawn-- == 0; });
  }

  // Does the piece that is drawn, if nobody is at another one. False where there is none to do.
  bool do_piece(std::unique_lock<std::mutex>& lock) {
    std::shared_ptr<Lane> lane = busy ? nullptr : next();
    if (!lane) return false;
    if (lane->items.front().whose == Whose::programs && std::this_thread::get_id() != thread) {
      ask();
      return false;
    }
    std::function<void()> work = std::move(lane->items.front().work);
    lane->items.pop_front();
    busy = true;
    lock.unlock();
    if (work) work();
    work = nullptr;
    lock.lock();
    busy = false;
    ++lane->done;
    if (!lane->awaited.empty() && *lane->awaited.begin() <= lane->done) finished.notify_all();
    return true;
  }

  // The thread is to do what is ready without a nap first.
  void ask() {
    asked = true;
    arrived.notify_one();
  }

  void run() {
    std::unique_lock lock(mutex);
    for (;;) {
      arrived.wait_for(lock, kNap, [&] { return asked && !busy; });
      asked = false;
      while (do_piece(lock)) continue;
      asleep = !std::exchange(stirred, false) &&
               std::all_of(all.begin(), all.end(), [](const auto& lane) { return lane->items.empty(); });
      arrived.wait(lock, [&] { return !asleep; });
    }
  }

  // What work of the lane waits for besides what came before in it.
  std::vector<Place> minded_by(const Lane& lane) const {
    std::vector<Place> places;
    for (const auto& other : all)
      if ((lane.minds == Minds::all && other->minds == Minds::legacy) ||
          (lane.minds == Minds::legacy && other->minds == Minds::all))
        places.push_back({other, other->handed_over});
    return places;
  }

  void wait(const std::vector<Place>& places) {
    std::unique_lock lock(mutex);
    if (std::this_thread::get_id() == thread) return;
    const auto come = [&] { return std::all_of(places.begin(), places.end(), reached); };
    while (!come() && do_piece(lock)) continue;
    if (come()) {
      if (asked) arrived.notify_one();
      return;
    }
    ask();
    for (const Place& p : places)
      if (p.lane) p.lane->awaited.insert(p.count);
    finished.wait(lock, come);
    for (const Place& p : places)
      if (p.lane) p.lane->awaited.erase(p.lane->awaited.find(p.count));
  }
};

// Never destroyed: its thread may outlive static objects.
Lanes& lanes() {
  static Lanes& l = *[] {
    auto* made = new Lanes;
    made->legacy = std::make_shared<Lane>();
    made->legacy->minds = Minds::all;
    made->all.push_back(made->legacy);
    std::lock_guard lock(made->mutex);
    std::thread thread([made] { made->run(); });
    made->thread = thread.get_id();
    thread.detach();
    return made;
  }();
  return l;
}

}  // namespace

bool late() {
  static const bool is_late = std::getenv("PTXRUN_LATE") && std::atoi(std::getenv("PTXRUN_LATE"));
  return is_late;
}

std::shared_ptr<Lane> make_lane(Minds minds) {
  auto lane = std::make_shared<Lane>();
  lane->minds = minds;
  std::lock_guard lock(lanes().mutex);
  lanes().all.push_back(lane);
  return lane;
}

std::shared_ptr<Lane> legacy_lane() { return lanes().legacy; }

Place end_of(const std::shared_ptr<Lane>& lane) {
  std::lock_guard lock(lanes().mutex);
  return {lane, lane->handed_over};
}

bool is_reached(const Place& place) {
  std::unique_lock lock(lanes().mutex);
  if (Lanes::reached(place)) return true;
  lanes().do_piece(lock);
  return false;
}

void wait_for(const Place& place) { lanes().wait({place}); }

void do_later(const std::shared_ptr<Lane>& lane, std::function<void()> work, Place behind, Whose whose) {
  Lanes& l = lanes();
  std::lock_guard lock(l.mutex);
  Lane::Item item{std::move(work), l.minded_by(*lane), whose};
  if (behind.lane) item.behind.push_back(std::move(behind));
  lane->items.push_back(std::move(item));
  ++lane->handed_over;
  l.stirred = true;
  if (std::exchange(l.asleep, false)) l.arrived.notify_one();
  if (whose == Whose::programs) l.ask();
}

void drain() {
  if (!late()) return;
  std::vector<Place> places;
  {
    std::lock_guard lock(lanes().mutex);
    for (const auto& lane : lanes().all) places.push_back({lane, lane->handed_over});
  }
  lanes().wait(places);
}

}  // namespace ptxrun
