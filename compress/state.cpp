#include "compress/state.hpp"

#include <algorithm>
#include <utility>

#include "kernels/base/check.hpp"

namespace tw {
namespace {
const char* name_of(Hop hop) { return hop == Hop::worker ? "worker" : "owner"; }

Block zeros(const Exec& exec, std::uint64_t count) {
  Block block = allocate_block(memory_of(residence_of(exec), exec.device), count * sizeof(float));
  fill_zero(exec, {block.get(), count * sizeof(float)});
  return block;
}

std::span<float> floats(const Block& block, std::uint64_t first, std::uint64_t count) {
  return {reinterpret_cast<float*>(block.get()) + first, count};
}
}  // namespace

void State::declare(const Param& param, Hop hop, std::string_view name, std::uint64_t first, std::uint64_t count) {
  Slot& slot = slots_[Key{param.id, hop, std::string(name)}];
  if (slot.count == 0 && count != 0) slot = {first, count, zeros(exec_, count), zeros(exec_, count)};
  TW_CHECK(slot.count == count && (slot.first == first || count == 0), UsageError, "slot '", name, "' of '", param.name,
           "' (", name_of(hop), ") was declared for ", slot.count, " elements from ", slot.first, ", now for ", count,
           " from ", first);
}

SlotView State::write(const Param& param, Hop hop, std::string_view name, std::uint64_t first, std::uint64_t count) {
  const auto found = slots_.find(std::tuple<std::uint32_t, Hop, std::string_view>(param.id, hop, name));
  TW_CHECK(found != slots_.end(), UsageError, "no slot '", name, "' was declared for '", param.name, "' (",
           name_of(hop), ")");
  Slot& slot = found->second;
  TW_CHECK(first >= slot.first && first - slot.first <= slot.count && count <= slot.count - (first - slot.first),
           UsageError, "slot '", name, "' of '", param.name, "' (", name_of(hop), ") holds ", slot.count,
           " elements from ", slot.first, "; asked for ", count, " from ", first);
  slot.written = true;
  if (watched_ != nullptr) watched_->met_.push_back({&slot, slot.live.get()});
  const std::uint64_t begin = first - slot.first;
  return {floats(slot.live, begin, count), floats(slot.next, begin, count)};
}

State::Writes State::watch(const std::function<void()>& work) {
  Writes writes;
  watched_ = &writes;
  try {
    work();
  } catch (...) {
    watched_ = nullptr;
    throw;
  }
  watched_ = nullptr;
  return writes;
}

bool State::would_meet(const Writes& writes) const {
  return std::all_of(writes.met_.begin(), writes.met_.end(),
                     [](const Writes::Met& met) { return met.slot->live.get() == met.live; });
}

void State::write_again(const Writes& writes) {
  for (const Writes::Met& met : writes.met_) met.slot->written = true;
}

void State::commit() {
  for (auto& [key, slot] : slots_)
    if (std::exchange(slot.written, false)) slot.live.swap(slot.next);
}

void State::rollback() {
  for (auto& [key, slot] : slots_) slot.written = false;
}

std::size_t State::bytes() const {
  std::size_t bytes = 0;
  for (const auto& [key, slot] : slots_) bytes += 2 * slot.count * sizeof(float);
  return bytes;
}

void State::for_each(const std::function<void(const Entry&)>& visit) {
  for (auto& [key, slot] : slots_) {
    const auto& [param, hop, name] = key;
    visit({param, hop, name, slot.first, floats(slot.live, 0, slot.count)});
  }
}

}  // namespace tw
