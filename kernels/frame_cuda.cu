// Bytes a byte of body: 1 read, where there is a checksum.
#include "kernels/base/crc32c.hpp"
#include "kernels/cuda/findings.hpp"
#include "kernels/cuda/launch.hpp"
#include "kernels/frame.hpp"
#include "kernels/math/crc.hpp"

namespace tw::cuda {
namespace {

constexpr unsigned kWordsOfHeader = FrameHeader::kWords, kCrcWord = kWordsOfHeader - 1;
constexpr unsigned kStepWord = FrameHeader::kStepWord;
constexpr unsigned kRowBytes = kThreads * sizeof(uint4);  // what a block reads at once
constexpr unsigned kRowsOfTile = 64;
constexpr std::uint64_t kTileWords = std::uint64_t{kRowsOfTile} * kThreads;

// What the register of the body is added to, to give the frame's CRC.
std::uint32_t crc_but_for_body(const FrameHeader& header, std::uint64_t body_bytes) {
  const auto covered = std::as_bytes(std::span(header.words).first(kCrcWord));
  return crc_product(crc_power_of_bytes(body_bytes), ~crc32c(covered)) ^ ~0u;
}

// A frame's header but for the register of its body. A recorded step is 0 in it, and is added by the kernel: so to the
// CRC, which is linear, as the product with a factor.
struct HeaderWords {
  FrameHeader header;
  std::uint32_t low_factor = 0, high_factor = 0;

  HeaderWords(const FrameHeader& given, Checksum checksum, std::uint64_t frame_bytes) : header(given) {
    const bool sums = checksum == Checksum::crc32c;
    const std::uint64_t body_bytes = frame_bytes - FrameHeader::kBytes;
    if (header.recorded_step != nullptr) header.words[kStepWord] = header.words[kStepWord + 1] = 0;
    header.words.back() = sums ? crc_but_for_body(header, body_bytes) : 0;
    if (header.recorded_step == nullptr || !sums) return;
    low_factor = crc_power_of_bytes((kCrcWord - kStepWord) * sizeof(std::uint32_t) + body_bytes);
    high_factor = crc_power_of_bytes((kCrcWord - kStepWord - 1) * sizeof(std::uint32_t) + body_bytes);
  }

  // A thread's word, chosen among registers or constants: an array that is indexed would lie in local memory.
  __device__ std::uint32_t own() const {
    std::uint32_t own = 0;
#pragma unroll
    for (unsigned w = 0; w < kWordsOfHeader; ++w) own = w == threadIdx.x ? header.words[w] : own;
    return header.recorded_step == nullptr ? own : own ^ of_step(*header.recorded_step);
  }

 private:
  // What the step adds to the thread's word.
  __device__ std::uint32_t of_step(std::uint64_t step) const {
    const auto low = static_cast<std::uint32_t>(step), high = static_cast<std::uint32_t>(step >> 32);
    if (threadIdx.x == kStepWord) return low;
    if (threadIdx.x == kStepWord + 1) return high;
    return threadIdx.x == kCrcWord ? crc_product(low_factor, low) ^ crc_product(high_factor, high) : 0;
  }
};

// Threads: one a word of the header, and one a status word. Shared memory: none. Bytes: 80 written. Deterministic.
struct HeaderKernel {
  HeaderWords header;
  std::uint32_t* frame;
  const std::uint32_t* found;
  std::uint32_t sources;

  __device__ void operator()(Grid) const {
    std::uint32_t bits = 0;
    for (std::uint32_t source = threadIdx.x; source < sources; source += kThreads) bits |= found[source];
    const bool spoilt = __syncthreads_or((bits & (kStatusBadFrame | kStatusBadPayload)) != 0) != 0;
    if (threadIdx.x < kWordsOfHeader) frame[threadIdx.x] = spoilt && threadIdx.x == 0 ? 0 : header.own();
  }
};

// Threads: one a word of the header, of the first warp. Shared memory: none. Bytes: 80 read. Deterministic.
struct CompareKernel {
  HeaderWords expected;
  const std::uint32_t* frame;
  std::uint32_t* status;

  __device__ void operator()(Grid) const {
    if (threadIdx.x >= kWordsOfHeader || frame[threadIdx.x] == expected.own()) return;
    if (status != nullptr) atomicOr(status, static_cast<unsigned>(kStatusBadFrame));
  }
};

// Tables of what a byte leaves in the register when so many bytes follow it: 0 to 15, to take in 16 bytes at once, and
// those by which a register of 4 bytes goes on by a row.
struct CrcTables {
  static constexpr std::uint32_t kRow = crc_power_of_bytes(kRowBytes - 4);
  std::uint32_t bytes[16][256], row[4][256];

  // By a block. Ends with a barrier.
  __device__ void fill() {
    const unsigned byte = threadIdx.x;
    std::uint32_t state = bytes[0][byte] = crc_of_byte(byte);
    std::uint32_t far = crc_product(kRow, state);
    __syncthreads();
    const auto next = [&](std::uint32_t s) { return (s >> 8) ^ bytes[0][s & 0xff]; };
    for (unsigned k = 1; k < 16; ++k) bytes[k][byte] = state = next(state);
    for (unsigned k = 0; k < 4; ++k, far = next(far)) row[k][byte] = far;
    __syncthreads();
  }
  __device__ std::uint32_t of_word(uint4 word) const {
    const std::uint32_t parts[] = {word.x, word.y, word.z, word.w};
    std::uint32_t state = 0;
#pragma unroll
    for (unsigned k = 0; k < 16; ++k) state ^= bytes[15 - k][parts[k / 4] >> (8 * (k % 4)) & 0xff];
    return state;
  }
  __device__ std::uint32_t a_row_on(std::uint32_t state) const {
    return row[3][state & 0xff] ^ row[2][state >> 8 & 0xff] ^ row[1][state >> 16 & 0xff] ^ row[0][state >> 24];
  }
};

// The registers of a block's threads, whose words follow one another: joined in thread 0. By a block.
__device__ std::uint32_t joined(std::uint32_t state) {
  __shared__ std::uint32_t warps[kWarps];
#pragma unroll
  for (unsigned distance = 1; distance < 32; distance *= 2) {
    const std::uint32_t behind = __shfl_down_sync(kAllLanes, state, distance);
    state = crc_product(crc_power_of_bytes(distance * sizeof(uint4)), state) ^ behind;
  }
  if (lane() == 0) warps[threadIdx.x / 32] = state;
  __syncthreads();
  std::uint32_t all = 0;
  for (unsigned w = 0; w < kWarps && threadIdx.x == 0; ++w)
    all = crc_product(crc_power_of_bytes(32 * sizeof(uint4)), all) ^ warps[w];
  __syncthreads();  // before the next tile's
  return all;
}

// Adds the body's register to a CRC. Threads: a block takes tiles of 64 rows, counted from the end of the body, in grid
// strides; a thread every 256th word of 16 bytes. Shared memory: 20 KiB of tables. Bytes: each read once.
// Deterministic: sums without carry have no order.
struct CrcKernel {
  const uint4* body;
  std::uint64_t words;
  std::uint32_t* crc;

  __device__ void operator()(Grid grid) const {
    __shared__ CrcTables tables;
    tables.fill();
    for (std::uint64_t tile = grid.block; tile * kTileWords < words; tile += grid.blocks) {
      const std::uint64_t end = words - tile * kTileWords;
      std::uint32_t state = 0;
      for (unsigned row = kRowsOfTile; row-- != 0;) {
        const std::uint64_t before_end = std::uint64_t{row} * kThreads + (kThreads - threadIdx.x);
        if (before_end <= end) state = tables.a_row_on(state) ^ tables.of_word(body[end - before_end]);
      }
      const std::uint32_t all = joined(state);
      if (threadIdx.x == 0) atomicXor(crc, crc_product(crc_power_of_bytes(tile * kTileWords * sizeof(uint4)), all));
    }
  }
};

void add_body(const Exec& exec, std::uint32_t* frame, std::uint64_t frame_bytes) {
  const std::uint64_t words = (frame_bytes - FrameHeader::kBytes) / sizeof(uint4);
  launch(exec, CrcKernel{reinterpret_cast<const uint4*>(frame + kWordsOfHeader), words, frame + kCrcWord},
         (words + kTileWords - 1) / kTileWords);
}

}  // namespace

void seal_in_place(const Exec& exec, const FrameHeader& header, Checksum checksum, std::span<const std::uint32_t> found,
                   std::span<std::byte> frame) {
  auto* words = reinterpret_cast<std::uint32_t*>(frame.data());
  const HeaderWords own(header, checksum, frame.size());
  launch(exec, HeaderKernel{own, words, found.data(), static_cast<std::uint32_t>(found.size())}, 1);
  if (checksum == Checksum::crc32c) add_body(exec, words, frame.size());
}

// Without its body's register, the CRC that came must be the header's own part.
void check_in_place(const Exec& exec, const FrameHeader& expected, Checksum checksum, std::span<std::byte> frame) {
  auto* words = reinterpret_cast<std::uint32_t*>(frame.data());
  if (checksum == Checksum::crc32c) add_body(exec, words, frame.size());
  launch(exec, CompareKernel{{expected, checksum, frame.size()}, words, exec.status}, 1);
}

}  // namespace tw::cuda
