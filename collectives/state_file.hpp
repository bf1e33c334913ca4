// Memories as a stream of bytes, for checkpoints: little-endian; "TWST", version, the configuration they belong to as
// text, the slots in key order, and an XXH3-64 of all before it.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>

#include "compress/state.hpp"

namespace tw {

using ByteSink = std::function<void(std::span<const std::byte>)>;
using ByteSource = std::function<void(std::span<std::byte>)>;

void write_state(State& state, const std::string& configuration, const ByteSink& sink);

/// Replaces the live values of every declared slot. Throws UsageError, changing nothing, where the stream was written
/// under another configuration (the first difference is named) or is torn.
void read_state(State& state, const std::string& configuration, const ByteSource& source);

}  // namespace tw
