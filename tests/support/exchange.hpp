// What tests of collectives exchange: tensors of any gradient type, made from a seed, and groups of communicators as
// threads that exchange them.
#pragma once

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include <tightwire/communicator.hpp>

#include "kernels/base/place.hpp"
#include "kernels/cuda/stream.hpp"

namespace tw::test {

/// A tensor of f32, f16 or bf16 seen as floats. Absent ones have no memory.
class Tensor {
 public:
  Tensor(DType dtype, std::uint64_t count) : dtype_(dtype), bytes_(count * bytes_of(dtype)), count_(count) {}

  std::uint64_t count() const { return count_; }
  DType dtype() const { return dtype_; }
  float get(std::uint64_t i) const;
  void set(std::uint64_t i, float value);
  TensorView view() { return {absent ? nullptr : bytes_.data(), dtype_, count_}; }
  friend bool operator==(const Tensor&, const Tensor&) = default;

  bool absent = false;

 private:
  DType dtype_;
  std::vector<std::byte> bytes_;
  std::uint64_t count_;
};
void PrintTo(const Tensor& tensor, std::ostream* out);
using Tensors = std::vector<Tensor>;  // by parameter

/// Parameters of all dtypes and awkward sizes, one of them empty; `largest` only caps the sizes.
std::vector<Param> awkward_params(std::uint64_t largest = 1u << 20);

/// The gradient of a rank in a step: about Gaussian, or small integers whose sums are exact in every dtype.
enum class Values : std::uint8_t { gaussian, integers };
Tensors gradients_of(std::span<const Param> params, Values values, std::uint64_t step, std::uint32_t rank);

/// Whose gradients lie on a device: nobody's, those of ranks that GroupDefaults::lies_on_host leaves (ranks of both
/// kinds share a job), or everybody's.
enum class Devices : std::uint8_t { none, mixed, all };
/// What a program's groups are unless a test wants others. Each compiles exchange_defaults.cpp for itself, and shares
/// the rest with the other programs.
struct GroupDefaults {
  Devices devices;
  const char* transport;
  const char* staged_transport;
  bool (*lies_on_host)(std::uint32_t rank);
};
extern const GroupDefaults kDefaults;

/// Who connects over GroupSpec::staged_transport.
constexpr bool stages(std::uint32_t rank) { return rank % 4 == 0; }

/// What a group is made of. All ranks alike, but for those that stage.
struct GroupSpec {
  std::uint32_t ranks = 2;
  std::vector<Param> params = {};
  CommunicatorOptions options = {};
  std::uint64_t bucket_bytes = 8192;
  std::string transport = kDefaults.transport;
  std::string staged_transport = kDefaults.staged_transport;  ///< empty: nobody's
  Devices devices = kDefaults.devices;
};

/// f32 parameters of awkward sizes in many chunks, all gradients on devices.
GroupSpec group_on_devices(std::uint32_t ranks, const char* codec, const char* algorithm);

/// One member: its communicator, registered, and the cut into buckets.
class Member {
 public:
  Member(const GroupSpec& spec, TransportPtr transport);

  Communicator& communicator() { return communicator_; }
  std::uint32_t rank() const { return communicator_.rank(); }
  const std::vector<Param>& params() const { return params_; }
  /// The pieces of `bucket` with the tensors' memory, or with copies on the device, which are there.
  std::vector<Piece> pieces(std::uint32_t bucket, Tensors& tensors);
  std::uint32_t buckets() const { return static_cast<std::uint32_t>(buckets_.size()); }
  /// A whole step: hands every bucket over, waits, ends the step. The tensors then hold the mean.
  StepOutcome step(std::uint64_t step, Tensors& tensors);
  /// Hands one bucket over; where it lies on a device, while a stream of its own still makes it.
  Work hand_over(std::uint32_t bucket, Tensors& tensors);
  std::vector<std::byte> saved_state();

 private:
  static CommunicatorOptions options_of(const GroupSpec& spec, const Transport& transport);
  bool on_device() const { return options_.exec.backend == Backend::cuda; }
  std::vector<Piece> make(std::uint32_t bucket, Tensors& tensors);
  void fetch(Tensors& tensors);

  struct Copies {
    Block pinned, device;
  };

  std::vector<Param> params_;
  std::vector<BucketPieces> buckets_;
  CommunicatorOptions options_;
  std::optional<cuda::Stream> stream_;
  Exec maker_;                  // of gradients
  std::vector<Copies> copies_;  // by parameter, where they lie on a device
  Communicator communicator_;
};

/// The transports of a group, by rank.
std::vector<TransportPtr> connect_group(const GroupSpec& spec, double deadline_seconds = 30);
/// Runs `body` on every rank of a fresh group.
void with_group(const GroupSpec& spec, const std::function<void(Member&)>& body);

/// The slots of a saved state: what memories hold.
struct SavedSlot {
  std::uint32_t param;
  Hop hop;
  std::uint64_t first;
  std::vector<float> values;
  friend bool operator==(const SavedSlot&, const SavedSlot&) = default;
};
void PrintTo(const SavedSlot& slot, std::ostream* out);
std::vector<SavedSlot> slots_in(std::span<const std::byte> saved);

inline Deadline soon() { return Deadline::in(60); }

/// What `call` throws, as text; fails the test if it is no ErrorType.
template <class ErrorType, class Call>
std::string message_of(const Call& call) {
  try {
    call();
  } catch (const ErrorType& error) {
    return error.what();
  }
  return "(nothing was thrown)";
}

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

}  // namespace tw::test
