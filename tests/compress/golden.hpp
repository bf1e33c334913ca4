// Golden vectors: what the bytes of format version 1 are, as checksums in tests/golden/ and as sizes in
// bench/ratios.csv. `test_compress --write-golden` writes them anew; nothing else does.
#pragma once

#include <string>

namespace tw::test {

/// True when the program was started with --write-golden.
bool writes_golden();
void set_writes_golden();

/// Compares `text` with the committed file (a path in the sources), or writes it. Fails the test at the first line that
/// differs.
void expect_golden(const std::string& file, const std::string& text);

}  // namespace tw::test
