// One kernel, decoded: its code and that of every function it calls, with registers, frames and shared memory laid out.
#pragma once
#include <array>
#include <memory>
#include <string>
#include <vector>
#include "tests/ptxrun/src/ptx_text.hpp"

namespace ptxrun {

struct CopyRange {
  std::uint32_t from, to, bytes;
};  // between frames of a caller and a callee
struct CallSite {
  std::uint32_t target = 0;  // pc; of an indirect call the address is in a register
  std::vector<CopyRange> in, out;
  std::string builtin;                       // vprintf, __assertfail
  std::vector<std::uint32_t> args, results;  // frame offsets in the caller
};
struct Issue {  // how often an instruction was issued
  std::uint64_t warps = 0, threads = 0;
};
struct FunctionLayout {
  std::vector<std::uint32_t> params, returns;
  std::uint32_t pc = 0;
};

struct Program {
  std::string name;
  const Module* module = nullptr;
  std::vector<Inst> code;
  std::vector<Issue> issues;            // of `code`, over all launches
  std::vector<std::string> text;        // of unsupported instructions, by imm
  std::vector<std::uint8_t> constants;  // every constant for 32 lanes
  std::vector<CallSite> calls;
  std::vector<std::vector<std::uint32_t>> branch_tables;
  std::vector<std::array<std::uint32_t, 4>> vector_results;   // of vector atomics
  std::unordered_map<std::uint32_t, FunctionLayout> layouts;  // by entry pc, for indirect calls
  std::uint32_t entry = 0, register_bytes = 0, local_bytes = 0, shared_bytes = 0, param_bytes = 0, max_threads = 1024;
  struct Param {
    std::uint32_t offset, size;
  };
  std::vector<Param> params;
  bool approximate = false;                 // contains instructions whose bits a GPU may give differently
  std::uint32_t contractible = 0;           // sums of a product, neither with a rounding: ptxas may fuse them
  std::string display;                      // name for people
  std::string where(const Inst& in) const;  // "PTX line 12 (file.cu:34)"
};

std::string readable(const std::string& symbol);  // demangled
std::unique_ptr<Program> build_program(const Module& m, const std::string& kernel);

// Special registers: an array of 32 words each, in this order.
enum SpecialSlot : std::uint32_t {
  kTidX,
  kTidY,
  kTidZ,
  kNtidX,
  kNtidY,
  kNtidZ,
  kCtaidX,
  kCtaidY,
  kCtaidZ,
  kNctaidX,
  kNctaidY,
  kNctaidZ,
  kLaneid,
  kWarpid,
  kNwarpid,
  kMaskEq,
  kMaskLt,
  kMaskLe,
  kMaskGt,
  kMaskGe,
  kZero,
  kWarpSize,
  kDynamicShared,
  kTotalShared,
  kSmid,
  kNsmid,
  kSpecials
};

}  // namespace ptxrun
