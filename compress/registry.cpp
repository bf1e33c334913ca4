#include "compress/registry.hpp"

#include "compress/codecs/identity.hpp"
#include "compress/memories/error_feedback.hpp"

namespace tw {

std::span<const CodecRow> codec_table() {
  static constexpr CodecRow table[] = {
      row_of<Codec, Identity>(),
  };
  return table;
}

std::span<const MemoryRow> memory_table() {
  static constexpr MemoryRow table[] = {
      row_of<Memory, ErrorFeedback>(),
  };
  return table;
}

}  // namespace tw
