// What a communicator failed with, kept as a value: it is thrown anew from every call that follows, on any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include <tightwire/error.hpp>

namespace tw {

class Failure {
 public:
  template <class ErrorType>
  explicit Failure(ErrorType error) : error_(std::move(error)) {}
  /// The exception being handled; call it inside a catch block. What is not ours becomes an Error with its words.
  static Failure current();

  [[noreturn]] void raise() const;
  void mark_uncertain();
  std::string message() const;
  /// The rank to blame, where the error names one.
  std::optional<std::uint32_t> culprit() const;

 private:
  std::variant<Error, UsageError, WireError, PeerError, SystemError> error_;
};

}  // namespace tw
