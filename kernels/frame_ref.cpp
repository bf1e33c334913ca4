#include "kernels/frame.hpp"

#include <algorithm>
#include <cstring>

#include "kernels/base/crc32c.hpp"

namespace tw::reference {
namespace {

FrameHeader sealed(FrameHeader header, Checksum checksum, std::span<const std::byte> frame) {
  if (header.recorded_step != nullptr)
    std::memcpy(&header.words[FrameHeader::kStepWord], header.recorded_step, sizeof *header.recorded_step);
  const auto covered = std::as_bytes(std::span(header.words).first(header.words.size() - 1));
  const auto body = frame.subspan(FrameHeader::kBytes);
  header.words.back() = checksum == Checksum::none ? 0 : crc32c_reference(body, crc32c_reference(covered));
  return header;
}

}  // namespace

void seal_in_place(const Exec&, const FrameHeader& header, Checksum checksum, std::span<const std::uint32_t> found,
                   std::span<std::byte> frame) {
  FrameHeader whole = sealed(header, checksum, frame);
  const auto is_bad = [](std::uint32_t status) { return (status & (kStatusBadFrame | kStatusBadPayload)) != 0; };
  if (std::any_of(found.begin(), found.end(), is_bad)) whole.words[0] = 0;
  std::memcpy(frame.data(), whole.words.data(), FrameHeader::kBytes);
}

void check_in_place(const Exec& exec, const FrameHeader& expected, Checksum checksum, std::span<std::byte> frame) {
  const FrameHeader whole = sealed(expected, checksum, frame);
  if (std::memcmp(frame.data(), whole.words.data(), FrameHeader::kBytes) != 0) report(exec, kStatusBadFrame);
}

}  // namespace tw::reference
