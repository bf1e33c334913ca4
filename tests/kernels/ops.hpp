// Every op in a form that a test can run on any backend and compare.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include <tightwire/exec.hpp>

#include "tests/support/inputs.hpp"

namespace tw::test {

/// What an op is run on. Buffers begin `offset` elements behind a multiple of 64 bytes.
struct Operands {
  std::uint64_t count;
  std::size_t offset;
  std::vector<float> values;
  std::vector<float> others;  ///< a residual, or what is there already
};

/// What came out: bytes that must be equal, floats that must be equal or both NaN, findings, canaries.
struct Outcome {
  std::vector<std::byte> bytes;
  std::vector<float> floats;
  std::uint32_t status = 0;
  bool intact = true;
};

struct TestedOp {
  std::string name;
  /// Calls the op, and gives what waits for it and fetches what it left. The operands must stay until then.
  std::function<std::function<Outcome()>(Exec exec, const Operands&)> start;

  Outcome run(const Exec& exec, const Operands& operands) const { return start(exec, operands)(); }
};

/// For failures.
inline void PrintTo(const TestedOp& op, std::ostream* out) { *out << op.name; }

/// Every op, with settings worth testing.
std::vector<TestedOp> ops_under_test();

/// Calls visit(operands, what they are) for all sizes under test, families of inputs, and arrays that are misaligned.
void for_all_operands(const std::function<void(const Operands&, const std::string& what)>& visit);

/// Empty where both are the same, else what differs first.
std::string difference(const Outcome& expected, const Outcome& actual);

}  // namespace tw::test
