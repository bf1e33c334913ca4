#include "compress/wire.hpp"

#include <bit>
#include <cstddef>
#include <cstring>

#include "kernels/base/check.hpp"
#include "kernels/base/crc32c.hpp"

namespace tw {
namespace {

// The header as it travels (FORMAT.md); fields are little-endian, the CRC comes last.
struct Header {
  std::uint32_t magic;
  std::uint16_t version;
  std::uint16_t codec;
  std::uint32_t communicator;
  std::uint8_t dtype;
  std::uint8_t hop;
  std::uint16_t flags;
  std::uint64_t plan_hash;
  std::uint64_t codec_hash;
  std::uint64_t step;
  std::uint32_t epoch;
  std::uint32_t bucket;
  std::uint32_t chunk;
  std::uint32_t source;
  std::uint64_t body_bytes;  // of all that follows the header
  std::uint64_t reserved;
  std::uint32_t reserved2;
  std::uint32_t crc;  // of the header before this field, then of all that follows the header
};
static_assert(sizeof(Header) == kFrameHeaderBytes && sizeof(Header) == FrameHeader::kBytes);
static_assert(offsetof(Header, step) == FrameHeader::kStepWord * sizeof(std::uint32_t));
static_assert(std::endian::native == std::endian::little, "frames are written as the machine holds them");

constexpr std::uint16_t kFlagChecksum = 1;

std::size_t align16(std::size_t bytes) { return (bytes + 15) / 16 * 16; }

std::size_t table_bytes(const FrameLayout& layout) {
  return layout.fixed_size() ? 0 : align16(layout.extents().size() * sizeof(std::uint32_t));
}

Header header_of(const FrameId& id, Checksum checksum, std::size_t body_bytes) {
  Header header{};
  header.magic = kFrameMagic;
  header.version = kFrameVersion;
  header.codec = id.codec;
  header.communicator = id.communicator;
  header.dtype = static_cast<std::uint8_t>(id.dtype);
  header.hop = static_cast<std::uint8_t>(id.hop);
  header.flags = checksum == Checksum::crc32c ? kFlagChecksum : 0;
  header.plan_hash = id.plan_hash;
  header.codec_hash = id.codec_hash;
  header.step = id.step;
  header.epoch = id.epoch;
  header.bucket = id.bucket;
  header.chunk = id.chunk;
  header.source = id.source;
  header.body_bytes = body_bytes;
  return header;
}

std::uint32_t crc_of(const Header& header, std::span<const std::byte> body) {
  return crc32c(body, crc32c(std::as_bytes(std::span(&header, 1)).first(offsetof(Header, crc))));
}

void check_header(const Header& got, const Header& expected) {
  const auto check = [&](const char* field, std::uint64_t value, std::uint64_t wanted) {
    TW_CHECK(value == wanted, WireError, "frame from rank ", expected.source, ": ", field, " is ", value, ", expected ",
             wanted);
  };
  check("magic", got.magic, expected.magic);
  check("version", got.version, expected.version);
  check("flags", got.flags, expected.flags);
  check("communicator", got.communicator, expected.communicator);
  check("source rank", got.source, expected.source);
  check("epoch", got.epoch, expected.epoch);
  check("step", got.step, expected.step);
  check("bucket", got.bucket, expected.bucket);
  check("chunk", got.chunk, expected.chunk);
  check("hop", got.hop, expected.hop);
  check("codec", got.codec, expected.codec);
  check("codec hash", got.codec_hash, expected.codec_hash);
  check("dtype", got.dtype, expected.dtype);
  check("plan hash", got.plan_hash, expected.plan_hash);
  check("body bytes", got.body_bytes, expected.body_bytes);
  check("reserved field", got.reserved | got.reserved2, 0);
}

}  // namespace

FrameLayout::FrameLayout(const Codec& codec, std::vector<Extent> extents)
    : extents_(std::move(extents)), fixed_size_(true) {
  for (const Extent& extent : extents_) fixed_size_ &= codec.traits(*extent.param).fixed_size;
  std::size_t offset = kFrameHeaderBytes + table_bytes(*this);
  for (const Extent& extent : extents_) {
    offsets_.push_back(offset);
    offset += align16(codec.max_bytes(extent));
  }
  offsets_.push_back(offset);
  max_frame_bytes_ = offset;
}

std::span<std::byte> FrameLayout::body_room(std::span<std::byte> frame, std::size_t i) const {
  return frame.subspan(offsets_[i], offsets_[i + 1] - offsets_[i]);
}

std::size_t seal_frame(const FrameId& id, const FrameLayout& layout, Checksum checksum,
                       std::span<const std::uint32_t> body_bytes, std::span<std::byte> frame) {
  const std::size_t table = table_bytes(layout);
  std::size_t end = layout.max_frame_bytes_;
  if (!layout.fixed_size()) {
    std::memset(frame.data() + kFrameHeaderBytes, 0, table);
    std::memcpy(frame.data() + kFrameHeaderBytes, body_bytes.data(), body_bytes.size_bytes());
    end = kFrameHeaderBytes + table;
    for (std::size_t i = 0; i < body_bytes.size(); end += body_bytes[i], ++i)
      std::memmove(frame.data() + end, frame.data() + layout.offsets_[i], body_bytes[i]);
  }
  const auto body = frame.subspan(kFrameHeaderBytes, end - kFrameHeaderBytes);
  Header header = header_of(id, checksum, body.size());
  if (checksum == Checksum::crc32c) header.crc = crc_of(header, body);
  std::memcpy(frame.data(), &header, sizeof header);
  return end;
}

FrameHeader header_of_fixed_size(const FrameId& id, const FrameLayout& layout, Checksum checksum,
                                 const std::uint64_t* recorded_step) {
  const Header header = header_of(id, checksum, layout.max_frame_bytes() - kFrameHeaderBytes);
  return {std::bit_cast<decltype(FrameHeader::words)>(header), recorded_step};
}

void open_frame(const FrameId& expected, const FrameLayout& layout, Checksum checksum, std::span<const std::byte> frame,
                std::span<std::span<const std::byte>> bodies) {
  const std::size_t table = table_bytes(layout);
  TW_CHECK(frame.size() >= kFrameHeaderBytes + table && frame.size() <= layout.max_frame_bytes_, WireError,
           "frame from rank ", expected.source, " has ", frame.size(), " bytes, expected ",
           layout.fixed_size() ? "" : "at most ", layout.max_frame_bytes_);
  Header header;
  std::memcpy(&header, frame.data(), sizeof header);
  const auto body = frame.subspan(kFrameHeaderBytes);
  check_header(header, header_of(expected, checksum, body.size()));
  if (checksum == Checksum::crc32c) {
    const std::uint32_t crc = crc_of(header, body);
    TW_CHECK(crc == header.crc, WireError, "frame from rank ", expected.source, " (bucket ", expected.bucket,
             ", chunk ", expected.chunk, ") is corrupt: CRC-32C is ", crc, ", the header says ", header.crc);
  }
  split_frame(expected, layout, frame, bodies);
}

void split_frame(const FrameId& id, const FrameLayout& layout, std::span<const std::byte> frame,
                 std::span<std::span<const std::byte>> bodies) {
  const auto body = frame.subspan(kFrameHeaderBytes);
  std::size_t begin = kFrameHeaderBytes + table_bytes(layout);
  for (std::size_t i = 0; i < layout.extents_.size(); ++i) {
    const std::size_t room = layout.offsets_[i + 1] - layout.offsets_[i];
    std::uint32_t bytes = static_cast<std::uint32_t>(room);
    if (!layout.fixed_size()) std::memcpy(&bytes, body.data() + i * sizeof bytes, sizeof bytes);
    TW_CHECK(bytes <= room && bytes % 16 == 0 && bytes <= frame.size() - begin, WireError, "frame from rank ",
             id.source, ": body ", i, " claims ", bytes, " bytes, room is for ", std::min(room, frame.size() - begin));
    bodies[i] = frame.subspan(begin, bytes);
    begin += bytes;
  }
  TW_CHECK(begin == frame.size(), WireError, "frame from rank ", id.source, " has ", frame.size() - begin,
           " bytes too many");
}

}  // namespace tw
