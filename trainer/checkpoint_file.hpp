// The file under a checkpoint: fields one after another, each block of 1 MiB folded into a hash that ends the file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "kernels/base/check.hpp"

namespace tw::trainer {

/// Hash of a stream: h = XXH3(h, XXH3(block)), blocks of 1 MiB, the last one shorter.
class BlockHash {
 public:
  static constexpr std::size_t kBlockBytes = 1u << 20;
  void add(std::span<const std::byte> block);
  std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_ = 0;
};

/// Writes a new file at `path` + ".tmp"; it replaces `path` when told to. Throws SystemError.
class FileWriter {
 public:
  explicit FileWriter(const std::string& path);
  /// Removes the temporary file unless it was published.
  ~FileWriter();
  FileWriter(const FileWriter&) = delete;
  FileWriter& operator=(const FileWriter&) = delete;

  void bytes(std::span<const std::byte> data);
  template <class T>
  void value(const T& v) {
    bytes(std::as_bytes(std::span(&v, 1)));
  }
  /// With its length before it.
  void field(std::span<const std::byte> data);

  /// Appends the hash; everything is on the disk afterwards, under the temporary name.
  void finish();
  /// Gives the finished file its name, for good.
  void publish();

 private:
  void flush_block();
  void write_out(std::span<const std::byte> data);

  const std::string path_, temporary_;
  int descriptor_;
  bool published_ = false;
  std::vector<std::byte> block_;
  BlockHash hash_;
};

/// A whole file in memory, whose hash was found right. Throws SystemError where it cannot be read, WireError where it
/// is torn.
class FileReader {
 public:
  explicit FileReader(const std::string& path);

  std::span<const std::byte> bytes(std::uint64_t count);
  template <class T>
  T value() {
    T v;
    std::memcpy(&v, bytes(sizeof v).data(), sizeof v);
    return v;
  }
  /// A field that must have `expected` bytes, or any number where that is 0.
  std::span<const std::byte> field(std::uint64_t expected = 0);
  void expect_end() const;

 private:
  const std::string path_;
  std::vector<std::byte> content_;
  std::span<const std::byte> rest_;  // without the hash
};

}  // namespace tw::trainer
