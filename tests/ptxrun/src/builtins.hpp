// Functions the device runtime provides: vprintf, __assertfail.
#pragma once
#include "tests/ptxrun/src/exec.hpp"

namespace ptxrun {

bool is_builtin(const std::string& name);
void run_builtin(Warp& w, const Inst& in, int lane, const CallSite& site);
void write_reduction(Warp& w, const Inst& in, std::uint32_t lanes, const Barrier& b);  // of bar.red, when it opens

}  // namespace ptxrun
