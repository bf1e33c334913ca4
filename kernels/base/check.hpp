// TW_CHECK and TW_FAIL: the two ways the library throws. Arguments after the condition are streamed into the message.
#pragma once

#include <sstream>
#include <string>

#include <tightwire/error.hpp>

namespace tw::detail {

template <class... Parts>
std::string concat(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

}  // namespace tw::detail

/// Throws `ErrorType(message)`, the message being all further arguments streamed one after another.
#define TW_FAIL(ErrorType, ...) throw ErrorType(::tw::detail::concat(__VA_ARGS__))

/// TW_FAIL unless `condition` holds. Stays on in every build type: it guards what comes from outside.
#define TW_CHECK(condition, ErrorType, ...) \
  do {                                      \
    if (!(condition)) [[unlikely]]          \
      TW_FAIL(ErrorType, __VA_ARGS__);      \
  } while (false)
