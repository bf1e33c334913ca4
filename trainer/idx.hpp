// The IDX files of MNIST and its kin, gzip-compressed or plain: two zero bytes, a type (8: unsigned bytes), the number
// of dimensions, each dimension as a big-endian u32, then the elements, the last dimension fastest.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tw::trainer {

/// An array of unsigned bytes.
struct IdxArray {
  std::vector<std::uint32_t> dimensions;
  std::vector<std::uint8_t> values;  ///< as many as the dimensions' product
};

/// Reads the whole file. Throws SystemError where it cannot be opened and WireError where it is no IDX file of unsigned
/// bytes with `dimensions` dimensions, torn, or longer than its header says; the message names the file.
IdxArray read_idx(const std::string& path, std::uint32_t dimensions);

}  // namespace tw::trainer
