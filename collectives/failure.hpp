// What a communicator failed with, kept as a value: it is thrown anew from every call that follows, on any thread.
// Every throw makes an exception of its own, since copies of a std::runtime_error share their text between threads.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>

#include <tightwire/error.hpp>

namespace tw {

class Failure {
 public:
  template <class ErrorType>
  explicit Failure(const ErrorType& error)
      : raise_(raise_as<ErrorType>), message_(error.what()), uncertain_(error.uncertain()) {
    if constexpr (std::is_same_v<ErrorType, PeerError>) culprit_ = error.rank();
  }
  /// The exception being handled; call it inside a catch block. What is not ours becomes an Error with its words.
  static Failure current();

  [[noreturn]] void raise() const;
  void mark_uncertain() { uncertain_ = true; }
  const std::string& message() const { return message_; }
  /// The rank to blame, where the error names one.
  std::optional<std::uint32_t> culprit() const { return culprit_; }

 private:
  template <class ErrorType>
  static void raise_as(const Failure& failure) {
    const auto throw_it = [&](ErrorType error) {
      if (failure.uncertain_) error.mark_uncertain();
      throw error;
    };
    if constexpr (std::is_same_v<ErrorType, PeerError>)
      throw_it(PeerError(*failure.culprit_, failure.message_));
    else
      throw_it(ErrorType(failure.message_));
  }

  void (*raise_)(const Failure&);
  std::string message_;
  bool uncertain_;
  std::optional<std::uint32_t> culprit_;
};

}  // namespace tw
