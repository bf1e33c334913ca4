// Finds the PTX in what nvcc registers: a wrapper that points to a header followed by entries.
#include <cstring>
#include "tests/ptxrun/src/runtime.hpp"

namespace ptxrun {
namespace {

struct Wrapper {
  std::uint32_t magic, version;
  const std::uint8_t* data;
  void* unused;
};
struct Header {
  std::uint32_t magic;
  std::uint16_t version, size;
  std::uint64_t bytes;
};
struct Entry {
  std::uint16_t kind, version;
  std::uint32_t header_size;
  std::uint64_t bytes;
  std::uint32_t compressed_bytes, unknown;
  std::uint16_t minor, major;
  std::uint32_t arch, name_offset, name_size;
  std::uint64_t flags, zero, plain_bytes;
};
constexpr std::uint32_t kWrapperMagic = 0x466243b1, kHeaderMagic = 0xba55ed50;
constexpr std::uint16_t kPtx = 1;
constexpr std::uint64_t kCompressed = 0xf000;  // lz4, zstd and others

constexpr const char* kBuild = "build with -gencode arch=compute_90,code=compute_90 --no-compress";

// One fat binary; what it says of the next one in *next.
std::string scan(const std::uint8_t* at, const std::uint8_t** next, bool* compressed) {
  Header h;
  std::memcpy(&h, at, sizeof h);
  *next = nullptr;
  if (h.magic != kHeaderMagic) return {};
  const std::uint8_t *p = at + h.size, *end = p + h.bytes;
  *next = end;
  std::string best;
  std::uint32_t best_arch = 0;
  while (p + sizeof(Entry) <= end) {
    Entry e;
    std::memcpy(&e, p, sizeof e);
    if (e.kind == kPtx) {
      if (e.flags & kCompressed)
        *compressed = true;
      else if (e.arch >= best_arch) {
        best.assign(reinterpret_cast<const char*>(p + e.header_size), e.bytes);
        best_arch = e.arch;
      }
    }
    if (!e.header_size) break;
    p += e.header_size + e.bytes;
  }
  return best;
}

}  // namespace

std::string find_ptx(const void* fatbin, std::string* why) {
  Wrapper w;
  std::memcpy(&w, fatbin, sizeof w);
  if (w.magic != kWrapperMagic) {
    *why = "not a fat binary nvcc 13 makes";
    return {};
  }
  bool compressed = false;
  const std::uint8_t* next;
  std::string ptx = scan(w.data, &next, &compressed);
  // nvcc puts an empty header before the real one.
  if (ptx.empty() && next && next == w.data + sizeof(Header)) ptx = scan(next, &next, &compressed);
  if (ptx.empty()) *why = std::string(compressed ? "its PTX is compressed" : "it holds no PTX") + "; " + kBuild;
  std::size_t nul = ptx.find('\0');
  if (nul != ptx.npos) ptx.resize(nul);
  return ptx;
}

}  // namespace ptxrun
