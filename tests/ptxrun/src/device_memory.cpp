#include "tests/ptxrun/src/device_memory.hpp"
#include <sys/mman.h>
#include <cstdlib>
#include <cstring>

namespace ptxrun {
namespace {
constexpr std::uint64_t kAlign = 256, kRedzone = 512, kDeviceBytes = 141ull << 30;
constexpr int kPoison = 0xff;  // fresh memory reads as NaN or -1
std::uint64_t round_up(std::uint64_t v, std::uint64_t to) { return (v + to - 1) / to * to; }
}  // namespace

DeviceMemory& memory() {
  static DeviceMemory& m = *new DeviceMemory;  // never destroyed: used from exit handlers
  return m;
}

void DeviceMemory::reserve_range() {
  for (std::uint64_t size = 1ull << 44; size >= 1ull << 32; size >>= 2) {
    void* p = mmap(nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) continue;
    next_ = round_up(reinterpret_cast<std::uint64_t>(p), kAlign);
    end_ = next_ + size - kAlign;
    return;
  }
}

Allocation* DeviceMemory::add(std::unique_ptr<Allocation> a) {
  a->asked = a->size;
  in_use_ += a->size;
  by_begin_[a->begin] = std::uint32_t(all_.size());
  all_.push_back(std::move(a));
  return all_.back().get();
}

Allocation* DeviceMemory::allocate(std::uint64_t size, const std::string& what, int device) {
  if (!next_) reserve_range();
  std::uint64_t span = round_up(size, kAlign) + kRedzone;
  if (in_use_ + size > kDeviceBytes || size > kDeviceBytes || next_ + span > end_) return nullptr;
  auto a = std::make_unique<Allocation>();
  a->data = static_cast<std::uint8_t*>(std::aligned_alloc(kAlign, round_up(size + 1, kAlign)));
  if (!a->data) return nullptr;
  std::memset(a->data, kPoison, size);
  a->begin = next_;
  a->size = size;
  a->owned = true;
  a->device = device;
  a->what = what;
  if (track_writes) a->written.assign(size, 0);
  next_ += span;
  return add(std::move(a));
}

Allocation* DeviceMemory::adopt(void* host, std::uint64_t size, const std::string& what) {
  auto a = std::make_unique<Allocation>();
  a->begin = reinterpret_cast<std::uint64_t>(host);
  a->data = static_cast<std::uint8_t*>(host);
  a->size = size;
  a->what = what;
  return add(std::move(a));
}

bool DeviceMemory::release(std::uint64_t begin) {
  auto it = by_begin_.find(begin);
  if (it == by_begin_.end() || all_[it->second]->freed) return false;
  Allocation& a = *all_[it->second];
  in_use_ -= a.size;
  a.size = 0;
  a.freed = true;
  a.marks = {};
  a.written = {};
  if (a.owned)
    std::free(a.data);
  else
    by_begin_.erase(it);  // the host may use these addresses again
  a.data = nullptr;
  return true;
}

Allocation* DeviceMemory::find(std::uint64_t address) {
  auto it = by_begin_.upper_bound(address);
  if (it == by_begin_.begin()) return nullptr;
  Allocation* a = all_[std::prev(it)->second].get();
  return address - a->begin < a->asked ? a : nullptr;
}

std::uint32_t DeviceMemory::index_of(const Allocation* a) const {
  auto it = by_begin_.find(a->begin);
  return it == by_begin_.end() ? 0 : it->second;
}

std::uint8_t* DeviceMemory::host_view(std::uint64_t address, std::uint64_t bytes) {
  Allocation* a = find(address);
  return a && a->contains(address, bytes) ? a->data + (address - a->begin) : nullptr;
}

void DeviceMemory::mark_written(std::uint64_t address, std::uint64_t bytes) {
  Allocation* a = track_writes ? find(address) : nullptr;
  if (a && !a->written.empty()) std::memset(a->written.data() + (address - a->begin), 1, bytes);
}

std::string DeviceMemory::describe(std::uint64_t address) const {
  auto it = by_begin_.upper_bound(address);
  if (it == by_begin_.begin()) return "far from every allocation";
  const Allocation& a = *all_[std::prev(it)->second];
  std::uint64_t off = address - a.begin;
  if (off >= a.asked + (1 << 20)) return "far from every allocation";
  std::string s = a.what + " of " + std::to_string(a.asked) + " bytes" + (a.freed ? " (freed)" : "");
  return (off < a.asked ? "offset " + std::to_string(off) + " in " : std::to_string(off - a.asked) + " bytes behind ") +
         s;
}

}  // namespace ptxrun
