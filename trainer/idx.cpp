#include "trainer/idx.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <span>

#include "kernels/base/check.hpp"

namespace tw::trainer {
namespace {

constexpr std::uint64_t kMaxBytes = std::uint64_t{1} << 31;  // a forged header must not make us allocate the machine
constexpr std::uint32_t kUnsignedBytes = 8;

class GzipFile {
 public:
  explicit GzipFile(const std::string& path) : path_(path), file_(gzopen(path.c_str(), "rb")) {
    TW_CHECK(file_ != nullptr, SystemError, "cannot open ", path, ": ", std::strerror(errno));
  }

  /// Fills `out`, or throws.
  void read(std::span<std::uint8_t> out) {
    while (!out.empty()) {
      const auto wanted = static_cast<unsigned>(std::min<std::size_t>(out.size(), 1u << 20));
      const int got = gzread(file_.get(), out.data(), wanted);
      TW_CHECK(got > 0, WireError, path_, " is torn: ", words_of_zlib("it ends early"));
      out = out.subspan(static_cast<std::size_t>(got));
    }
  }

  /// Throws unless everything was read; this is also where zlib has checked the trailing checksum.
  void expect_end() {
    std::uint8_t extra = 0;
    const int got = gzread(file_.get(), &extra, 1);
    TW_CHECK(got <= 0, WireError, path_, " goes on after the array that its header describes");
    int code = Z_OK;
    gzerror(file_.get(), &code);
    TW_CHECK(got == 0 && (code == Z_OK || code == Z_STREAM_END), WireError, path_,
             " is torn: ", words_of_zlib("it ends early"));
  }

 private:
  std::string words_of_zlib(const char* otherwise) const {
    int code = Z_OK;
    const char* words = gzerror(file_.get(), &code);
    return code == Z_OK || code == Z_STREAM_END ? otherwise : words;
  }

  struct Close {
    void operator()(gzFile file) const { gzclose(file); }
  };
  const std::string path_;
  std::unique_ptr<gzFile_s, Close> file_;
};

std::uint32_t big_endian(std::span<const std::uint8_t, 4> bytes) {
  return std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 | std::uint32_t{bytes[2]} << 8 | bytes[3];
}

std::uint32_t read_u32(GzipFile& file) {
  std::array<std::uint8_t, 4> bytes{};
  file.read(bytes);
  return big_endian(bytes);
}

}  // namespace

IdxArray read_idx(const std::string& path, std::uint32_t dimensions) {
  GzipFile file(path);
  const std::uint32_t magic = read_u32(file), expected = kUnsignedBytes << 8 | dimensions;
  TW_CHECK(magic == expected, WireError, path, " is no IDX file of unsigned bytes with ", dimensions,
           " dimensions: it begins with ", magic, ", expected ", expected);
  IdxArray array;
  std::uint64_t count = 1;
  for (std::uint32_t i = 0; i < dimensions; ++i) {
    array.dimensions.push_back(read_u32(file));
    count *= array.dimensions.back();
    TW_CHECK(count <= kMaxBytes, WireError, path, " claims more than ", kMaxBytes, " elements");
  }
  array.values.resize(count);
  file.read(array.values);
  file.expect_end();
  return array;
}

}  // namespace tw::trainer
