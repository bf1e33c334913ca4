#include "trainer/checkpoint_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <utility>

#include "kernels/base/hash.hpp"

namespace tw::trainer {
namespace {

[[noreturn]] void fail(const char* what, const std::string& path) {
  TW_FAIL(SystemError, "cannot ", what, " ", path, ": ", std::strerror(errno));
}

void sync_directory_of(const std::string& path) {
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  const std::string folder = parent.empty() ? std::string(".") : parent.string();
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) fail("open", folder);
  const int result = ::fsync(descriptor);
  ::close(descriptor);
  if (result != 0) fail("sync", folder);
}

std::vector<std::byte> read_all(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) fail("open the checkpoint", path);
  std::vector<std::byte> content;
  std::size_t filled = 0;
  for (ssize_t got = 1; got > 0; filled += static_cast<std::size_t>(std::max<ssize_t>(got, 0))) {
    content.resize(filled + BlockHash::kBlockBytes);
    got = ::read(descriptor, content.data() + filled, BlockHash::kBlockBytes);
    if (got < 0) {
      ::close(descriptor);
      fail("read the checkpoint", path);
    }
  }
  ::close(descriptor);
  content.resize(filled);
  return content;
}

}  // namespace

void BlockHash::add(std::span<const std::byte> block) {
  const std::uint64_t pair[2] = {value_, hash64(block)};
  value_ = hash64(std::as_bytes(std::span(pair)));
}

FileWriter::FileWriter(const std::string& path)
    : path_(path),
      temporary_(path + ".tmp"),
      descriptor_(::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)) {
  if (descriptor_ < 0) fail("create the checkpoint", temporary_);
  block_.reserve(BlockHash::kBlockBytes);
}

FileWriter::~FileWriter() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!published_) ::unlink(temporary_.c_str());
}

void FileWriter::bytes(std::span<const std::byte> data) {
  while (!data.empty()) {
    const std::size_t taken = std::min(data.size(), BlockHash::kBlockBytes - block_.size());
    block_.insert(block_.end(), data.begin(), data.begin() + static_cast<std::ptrdiff_t>(taken));
    data = data.subspan(taken);
    if (block_.size() == BlockHash::kBlockBytes) flush_block();
  }
}

void FileWriter::field(std::span<const std::byte> data) {
  value(std::uint64_t{data.size()});
  bytes(data);
}

void FileWriter::flush_block() {
  hash_.add(block_);
  write_out(block_);
  block_.clear();
}

void FileWriter::write_out(std::span<const std::byte> data) {
  while (!data.empty()) {
    const ssize_t written = ::write(descriptor_, data.data(), data.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail("write the checkpoint", temporary_);
    data = data.subspan(static_cast<std::size_t>(written));
  }
}

void FileWriter::finish() {
  if (!block_.empty()) flush_block();
  const std::uint64_t hash = hash_.value();
  write_out(std::as_bytes(std::span(&hash, 1)));
  if (::fsync(descriptor_) != 0) fail("sync the checkpoint", temporary_);
  const int result = ::close(std::exchange(descriptor_, -1));
  if (result != 0) fail("close the checkpoint", temporary_);
}

void FileWriter::publish() {
  if (std::rename(temporary_.c_str(), path_.c_str()) != 0) fail("rename the checkpoint to", path_);
  published_ = true;
  sync_directory_of(path_);
}

FileReader::FileReader(const std::string& path) : path_(path), content_(read_all(path)) {
  TW_CHECK(content_.size() >= sizeof(std::uint64_t), WireError, path_, " is torn: it has only ", content_.size(),
           " bytes");
  rest_ = std::span(content_).first(content_.size() - sizeof(std::uint64_t));
  BlockHash hash;
  for (std::size_t begin = 0; begin < rest_.size(); begin += BlockHash::kBlockBytes)
    hash.add(rest_.subspan(begin, std::min(BlockHash::kBlockBytes, rest_.size() - begin)));
  std::uint64_t expected;
  std::memcpy(&expected, content_.data() + rest_.size(), sizeof expected);
  TW_CHECK(hash.value() == expected, WireError, path_, " is torn: its hash does not fit its content");
}

std::span<const std::byte> FileReader::bytes(std::uint64_t count) {
  TW_CHECK(count <= rest_.size(), WireError, path_, " is torn: ", count, " bytes expected, ", rest_.size(),
           " are left");
  const auto taken = rest_.first(count);
  rest_ = rest_.subspan(count);
  return taken;
}

std::span<const std::byte> FileReader::field(std::uint64_t expected) {
  const auto count = value<std::uint64_t>();
  TW_CHECK(expected == 0 || count == expected, WireError, path_, " is torn: a field of ", count, " bytes, expected ",
           expected);
  return bytes(count);
}

void FileReader::expect_end() const {
  TW_CHECK(rest_.empty(), WireError, path_, " is torn: ", rest_.size(), " bytes too many");
}

}  // namespace tw::trainer
