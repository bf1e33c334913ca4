#include <tightwire/types.hpp>

namespace tw {

const char* name_of(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return "f32";
    case DType::f16:
      return "f16";
    case DType::bf16:
      return "bf16";
    case DType::u8:
      return "u8";
    case DType::u32:
      return "u32";
  }
  return "unknown";
}

}  // namespace tw
