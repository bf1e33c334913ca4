// CRC-32C as arithmetic on polynomials over GF(2), reflected: bit 31 is x^0. What advances and joins partial CRCs.
#pragma once

#include <cstdint>

namespace tw {

inline constexpr std::uint32_t kCrcPolynomial = 0x82f63b78;

/// The register after one byte, from a register of 0.
constexpr std::uint32_t crc_of_byte(std::uint32_t byte) {
  for (int bit = 0; bit < 8; ++bit) byte = (byte >> 1) ^ ((byte & 1u) ? kCrcPolynomial : 0u);
  return byte;
}

/// a * b modulo the polynomial.
constexpr std::uint32_t crc_product(std::uint32_t a, std::uint32_t b) {
  std::uint32_t product = 0;
  for (; a != 0; a <<= 1) {
    if (a & 0x80000000u) product ^= b;
    b = (b >> 1) ^ ((b & 1u) ? kCrcPolynomial : 0u);
  }
  return product;
}

/// x^(8 * bytes) modulo the polynomial, by repeated squaring: what a register is multiplied by when so many zero bytes
/// follow.
constexpr std::uint32_t crc_power_of_bytes(std::uint64_t bytes) {
  std::uint32_t result = 0x80000000u;       // x^0
  std::uint32_t square = 0x80000000u >> 8;  // x^8
  for (; bytes != 0; bytes >>= 1) {
    if (bytes & 1u) result = crc_product(result, square);
    square = crc_product(square, square);
  }
  return result;
}

}  // namespace tw
