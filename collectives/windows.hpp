// The most that an operation whose frames the host drives holds at once: windows over the chunks it sends, awaits and
// sums. Where gradients lie on a device all of it is taken at preparation, so that no step allocates device or pinned
// memory; on the host the first steps allocate.
#pragma once

#include <cstddef>
#include <deque>
#include <span>
#include <utility>

#include "collectives/group.hpp"
#include "collectives/plan.hpp"

namespace tw {

/// Room for as many of `chunks` at once as `window` says: frames that are encoded to be sent, of which `kept` where
/// they were encoded if copies of them are sent; frames that are encoded for this rank alone; frames that come from
/// `sources` ranks; sums.
void reserve_sends(Group& group, std::span<const Chunk> chunks, std::size_t window, std::size_t kept);
void reserve_own_frames(Group& group, std::span<const Chunk> chunks, std::size_t window);
void reserve_receives(Group& group, std::span<const Chunk> chunks, std::size_t window, std::size_t sources = 1);
void reserve_sums(Group& group, std::span<const Chunk> chunks, std::size_t window);

/// How many chunks of a sequence have given their rooms back, counted as they are finished one after another.
class GivenBack {
 public:
  void restart() {
    chunks_ = 0;
    kept_.clear();
  }
  /// The first `chunks` are finished; what of them is kept so far was retired.
  void finished(const Group& group, std::size_t chunks);
  std::size_t chunks(Group& group);

 private:
  std::size_t chunks_ = 0;
  std::deque<std::pair<Group::Mark, std::size_t>> kept_;
};

}  // namespace tw
