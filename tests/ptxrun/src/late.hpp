// Work that streams do later (`--late`): a thread does it while the program goes on, one piece after another, and so
// does who waits or asks for it. Those of a stream keep their order; which stream is next of those that wait for
// nothing is drawn (`--seed`). So host code that reads, frees or uses again what the device is not done with gets it
// wrong here as on a GPU, and so does a stream that does not wait for what another one makes. Otherwise work is done
// where it is submitted.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>

namespace ptxrun {

bool late();

// How a stream minds the others: the legacy default stream waits for all blocking ones, and they for it.
enum class Minds { all, legacy, none };
struct Lane;
// The work of a stream, which is done even where the stream is destroyed.
std::shared_ptr<Lane> make_lane(Minds minds);

// A place in a stream's order; of no lane, before all.
struct Place {
  std::shared_ptr<Lane> lane;
  std::uint64_t count = 0;
};
Place end_of(const std::shared_ptr<Lane>& lane);
bool is_reached(const Place& place);
// Not with the lock of API calls held, nor in what is done later.
void wait_for(const Place& place);

// Hands work over, behind what its lane has got and minds, and behind another place. It takes the lock of API calls
// where it needs it. What the program does itself may wait for any of its threads: it is left to the thread.
enum class Whose { devices, programs };
void do_later(const std::shared_ptr<Lane>& lane, std::function<void()> work, Place behind = {},
              Whose whose = Whose::devices);
// Waits as wait_for, for all work.
void drain();
std::shared_ptr<Lane> legacy_lane();

}  // namespace ptxrun
