// What a call throws, as text.
#pragma once

#include <string>

namespace tw::test {

/// The message of the ErrorType that `call` throws; "nothing was thrown" if it throws nothing.
template <class ErrorType, class Call>
std::string message_of(Call call) {
  try {
    call();
  } catch (const ErrorType& error) {
    return error.what();
  }
  return "nothing was thrown";
}

}  // namespace tw::test
