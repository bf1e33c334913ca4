#include "compress/registry.hpp"

#include "compress/codecs/cast.hpp"
#include "compress/codecs/identity.hpp"
#include "compress/codecs/int8.hpp"
#include "compress/codecs/onebit.hpp"
#include "compress/codecs/qsgd.hpp"
#include "compress/codecs/randomk.hpp"
#include "compress/codecs/topk.hpp"
#include "compress/memories/error_feedback.hpp"

namespace tw {

std::span<const CodecRow> codec_table() {
  static constexpr CodecRow table[] = {
      row_of<Codec, Identity>(), row_of<Codec, Fp16>(), row_of<Codec, Bf16>(), row_of<Codec, Int8>(),
      row_of<Codec, OneBit>(),   row_of<Codec, Qsgd>(), row_of<Codec, TopK>(), row_of<Codec, RandomK>(),
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
