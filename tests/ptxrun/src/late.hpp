// Work that streams do later (`--late`): a thread does it, in the order in which it was submitted to all streams, while
// the program goes on. So host code that reads, frees or uses again what the device is not done with gets it wrong here
// as on a GPU. Otherwise work is done where it is submitted.
#pragma once
#include <cstdint>
#include <functional>

namespace ptxrun {

bool late();
/// Hands work to the thread. It takes the lock of API calls where it needs it.
void do_later(std::function<void()> work);
/// Waits for all of it. Not with the lock of API calls held, nor from the thread itself.
void drain();
/// How much was handed over so far, and whether so much is done.
std::uint64_t handed_over();
bool is_done(std::uint64_t count);

}  // namespace ptxrun
