// A training at rest: one file a rank, FILE.rankN, since memories differ from rank to rank and no rank may count on
// another's disk. Little-endian:
//
//   "TWCK", u32 version, u64 step, u64 sampler position, u64 bytes + text of the configuration,
//   u64 bytes + f32 values of each parameter, then u64 bytes + f32 momentum of each,
//   u64 bytes + the communicator's memories (0 without exchange), u64 XXH3-64 of all before, chained over blocks of 1
//   MiB
//
// A file appears whole or not at all: it is written beside its name, synced and renamed, on all ranks after all have
// written theirs.
#pragma once

#include <cstdint>
#include <string>

#include <tightwire/communicator.hpp>

#include "trainer/model.hpp"
#include "trainer/optimizer.hpp"

namespace tw::trainer {

/// Where in the training a checkpoint lies.
struct TrainingPosition {
  std::uint64_t step = 0;      ///< steps done
  std::uint64_t position = 0;  ///< samples drawn
};

/// What a checkpoint saves and restores.
struct TrainingState {
  Model& model;
  Sgd& optimizer;
  Communicator& communicator;
  bool with_memories;         ///< false without exchange: nothing is registered with the communicator
  std::string configuration;  ///< one line a fact that must be equal where it goes on
};

/// This rank's file.
std::string checkpoint_path(const std::string& file, std::uint32_t rank);

/// Collective. Throws SystemError that names the file.
void save_checkpoint(const std::string& file, const TrainingState& state, const TrainingPosition& position,
                     Deadline deadline);

/// Throws SystemError where the file cannot be read, WireError where it is torn or no checkpoint, UsageError where it
/// belongs to another configuration (the first difference is named). The state is changed only once all that is known.
TrainingPosition load_checkpoint(const std::string& file, const TrainingState& state);

}  // namespace tw::trainer
