// Device allocations. A device address lies in a range the host cannot touch (as on a real machine); the bytes lie
// elsewhere. Addresses are not used again, so a use after free is found, and gaps between allocations are redzones.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace ptxrun {

struct SectorMark {
  std::uint32_t read = 0, written = 0;
};  // launch that last touched the 32-byte sector

constexpr int kEvery = -1;  // device

struct Allocation {
  std::uint64_t begin = 0, size = 0;  // size 0 once freed
  std::uint64_t asked = 0;
  std::uint8_t* data = nullptr;
  bool owned = false;   // data is ours to free
  int device = kEvery;  // whose kernels may touch it
  bool freed = false;
  std::string what;
  std::vector<SectorMark> marks;      // made at the first launch that touches it
  std::vector<std::uint8_t> written;  // per byte, only when reads of unwritten memory are looked for
  bool serves(int d) const { return device == d || device == kEvery; }
  bool contains(std::uint64_t a, std::uint64_t bytes) const { return a - begin < size && size - (a - begin) >= bytes; }
};

class DeviceMemory {
 public:
  DeviceMemory() { all_.push_back(std::make_unique<Allocation>()); }              // index 0: holds nothing
  Allocation* allocate(std::uint64_t size, const std::string& what, int device);  // null: no room
  Allocation* adopt(void* host, std::uint64_t size, const std::string& what);     // host memory the device may use
  bool release(std::uint64_t begin);
  Allocation* find(std::uint64_t address);  // the one whose range, even if freed, holds the address
  Allocation* by_index(std::uint32_t i) { return all_[i].get(); }
  std::uint32_t index_of(const Allocation* a) const;
  std::uint8_t* host_view(std::uint64_t address, std::uint64_t bytes);  // null: not wholly inside one allocation
  std::string describe(std::uint64_t address) const;
  std::uint64_t in_use() const { return in_use_; }
  bool track_writes = false;
  void mark_written(std::uint64_t address, std::uint64_t bytes);

 private:
  Allocation* add(std::unique_ptr<Allocation> a);
  void reserve_range();
  std::vector<std::unique_ptr<Allocation>> all_;
  std::map<std::uint64_t, std::uint32_t> by_begin_;
  std::uint64_t next_ = 0, end_ = 0, in_use_ = 0;
};

DeviceMemory& memory();

}  // namespace ptxrun
