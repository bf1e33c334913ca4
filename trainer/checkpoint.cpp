#include "trainer/checkpoint.hpp"

#include <algorithm>
#include <vector>

#include "collectives/registration.hpp"
#include "kernels/base/check.hpp"
#include "trainer/checkpoint_file.hpp"
#include "trainer/placed_floats.hpp"

namespace tw::trainer {
namespace {

constexpr std::uint32_t kMagic = 0x4b435754;  // "TWCK"
constexpr std::uint32_t kVersion = 1;

std::vector<std::byte> saved_memories(const TrainingState& state) {
  std::vector<std::byte> memories;
  if (state.with_memories)
    state.communicator.save_state(
        [&](std::span<const std::byte> data) { memories.insert(memories.end(), data.begin(), data.end()); });
  return memories;
}

void restore_memories(const TrainingState& state, std::span<const std::byte> memories) {
  if (!state.with_memories) return;
  state.communicator.load_state([&](std::span<std::byte> out) {
    TW_CHECK(out.size() <= memories.size(), WireError, "the checkpoint's memories are torn: ", out.size(),
             " bytes expected, ", memories.size(), " are left");
    std::copy_n(memories.begin(), out.size(), out.begin());
    memories = memories.subspan(out.size());
  });
}

void check_configuration(const std::string& path, std::span<const std::byte> saved, const std::string& now) {
  const std::string text(reinterpret_cast<const char*>(saved.data()), saved.size());
  const std::string difference = first_difference(text, now);
  TW_CHECK(difference.empty(), UsageError, path, " was saved under another configuration: saved ", difference, " now");
}

}  // namespace

std::string checkpoint_path(const std::string& file, std::uint32_t rank) {
  return file + ".rank" + std::to_string(rank);
}

void save_checkpoint(const std::string& file, const TrainingState& state, const TrainingPosition& position,
                     Deadline deadline) {
  FileWriter out(checkpoint_path(file, state.communicator.rank()));
  out.value(kMagic);
  out.value(kVersion);
  out.value(position.step);
  out.value(position.position);
  out.field(std::as_bytes(std::span(state.configuration)));
  const Exec exec = state.model.exec();
  std::vector<float> staging;
  const auto floats = [&](std::span<const float> values) { out.field(std::as_bytes(on_host(exec, values, staging))); };
  for (const Param& param : state.model.params()) floats(state.model.values(param.id));
  for (const Param& param : state.model.params()) floats(state.optimizer.momentum(param.id));
  out.field(saved_memories(state));
  out.finish();
  state.communicator.barrier(deadline);
  out.publish();
}

TrainingPosition load_checkpoint(const std::string& file, const TrainingState& state) {
  const std::string path = checkpoint_path(file, state.communicator.rank());
  FileReader in(path);
  TW_CHECK(in.value<std::uint32_t>() == kMagic, WireError, path, " is no checkpoint of this trainer");
  const auto version = in.value<std::uint32_t>();
  TW_CHECK(version == kVersion, WireError, path, " has version ", version, ", known is ", kVersion);
  TrainingPosition position;
  position.step = in.value<std::uint64_t>();
  position.position = in.value<std::uint64_t>();
  check_configuration(path, in.field(), state.configuration);
  std::vector<std::span<const std::byte>> values, momentum;
  for (const Param& param : state.model.params()) values.push_back(in.field(param.count() * sizeof(float)));
  for (const Param& param : state.model.params()) momentum.push_back(in.field(param.count() * sizeof(float)));
  const auto memories = in.field();
  in.expect_end();
  const Exec exec = state.model.exec();
  restore_memories(state, memories);  // may still refuse; all that follows cannot
  for (const Param& param : state.model.params()) {
    copy_bytes(exec, values[param.id], std::as_writable_bytes(state.model.values(param.id)));
    copy_bytes(exec, momentum[param.id], std::as_writable_bytes(state.optimizer.momentum(param.id)));
  }
  synchronize(exec);  // the file's memory goes
  return position;
}

}  // namespace tw::trainer
