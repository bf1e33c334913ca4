// Runs an op between guarded copies of its operands, in the memory of its backend, and gathers what it left.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <initializer_list>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "kernels/base/operands.hpp"
#include "tests/kernels/ops.hpp"
#include "tests/support/placed.hpp"

namespace tw::test {

class Stage {
 public:
  Stage(Exec exec, const Operands& operands)
      : exec_(exec),
        operands_(operands),
        values_(exec, copy_of(operands.values, operands.offset)),
        others_(exec, copy_of(operands.others, operands.offset)),
        result_(exec, Guarded<float>(operands.count, 7.0f, operands.offset)),
        status_(exec, Guarded<std::uint32_t>(1)) {
    exec_.status = status_.span().data();
  }

  const Exec& exec() const { return exec_; }
  std::uint64_t count() const { return operands_.count; }
  std::span<float> values() { return values_.span(); }
  std::span<float> others() { return others_.span(); }
  Feedback feedback() { return {others_.span(), result_.span()}; }

  /// An array of a body.
  template <class T>
  std::span<T> array(std::uint64_t count) {
    return arrays<T>().emplace_back(exec_, Guarded<T>(count, T{3})).span();
  }
  /// One that holds what `from` holds on the host.
  template <class T>
  std::span<T> array_of(std::span<T> from) {
    Guarded<T> copy(from.size());
    std::copy(from.begin(), from.end(), copy.span().begin());
    return arrays<T>().emplace_back(exec_, std::move(copy)).span();
  }

  /// A step record.
  const std::uint64_t* recorded(std::uint64_t step) {
    Guarded<std::uint64_t> record(1);
    record.span().front() = step;
    return records_.emplace_back(exec_, std::move(record)).span().data();
  }

  /// The same operands on the host, where references make the bodies that an op decodes.
  Stage& host() {
    if (!host_) host_ = std::make_unique<Stage>(Exec{.backend = Backend::reference}, operands_);
    return *host_;
  }

  /// Of `values`, `others` and the new residual, those that the op writes to.
  void leaves(std::initializer_list<std::span<const float>> floats) { left_ = floats; }
  void leaves_residual() { leaves({result_.span()}); }

  /// Findings, canaries, all arrays, and the floats that the op left.
  Outcome outcome() {
    append(bytes4_), append(bytes2_), append(bytes1_), append(floats_);
    for (Placed<float>* operand : {&values_, &others_, &result_}) {
      const Guarded<float>& left = operand->fetch();
      outcome_.intact &= left.intact();
      for (const auto span : left_)
        if (span.data() == operand->span().data())
          outcome_.floats.insert(outcome_.floats.end(), left.span().begin(), left.span().end());
    }
    outcome_.intact &= status_.fetch().intact();
    outcome_.status = status_.fetch().span().front();
    return outcome_;
  }

 private:
  static Guarded<float> copy_of(const std::vector<float>& from, std::size_t offset) {
    Guarded<float> copy(from.size(), 0.0f, offset);
    std::copy(from.begin(), from.end(), copy.span().begin());
    return copy;
  }
  template <class T>
  std::deque<Placed<T>>& arrays() {
    if constexpr (std::is_same_v<T, float>)
      return floats_;
    else if constexpr (sizeof(T) == 4)
      return bytes4_;
    else if constexpr (sizeof(T) == 2)
      return bytes2_;
    else
      return bytes1_;
  }
  template <class T>
  void append(std::deque<Placed<T>>& from) {
    for (Placed<T>& array : from) {
      const Guarded<T>& left = array.fetch();
      const auto bytes = std::as_bytes(left.span());
      outcome_.bytes.insert(outcome_.bytes.end(), bytes.begin(), bytes.end());
      outcome_.intact &= left.intact();
    }
  }

  Exec exec_;
  const Operands& operands_;
  Outcome outcome_;
  std::vector<std::span<const float>> left_;
  Placed<float> values_, others_, result_;
  Placed<std::uint32_t> status_;
  std::deque<Placed<std::uint32_t>> bytes4_;
  std::deque<Placed<std::uint16_t>> bytes2_;
  std::deque<Placed<std::int8_t>> bytes1_;
  std::deque<Placed<float>> floats_;
  std::deque<Placed<std::uint64_t>> records_;
  std::unique_ptr<Stage> host_;
};

}  // namespace tw::test
