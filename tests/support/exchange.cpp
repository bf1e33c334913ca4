#include "tests/support/exchange.hpp"

#include <algorithm>
#include <cstring>
#include <ostream>

#include "collectives/thread_bootstrap.hpp"
#include "collectives/transport.hpp"
#include "collectives/transports/table.hpp"
#include "kernels/base/half.hpp"
#include "kernels/base/philox.hpp"
#include "tests/support/ranks.hpp"

namespace tw::test {
namespace {

float value_of(Values values, const PhiloxCounter& words) {
  if (values == Values::integers) return static_cast<float>(words[0] % 17) - 8.0f;
  float sum = 0;  // of four uniform numbers: Gaussian enough, and the same everywhere
  for (const std::uint32_t word : words) sum += static_cast<float>(word >> 8) * 0x1p-24f - 0.5f;
  return sum * (words[0] % 64 == 0 ? 20.0f : 1.0f);  // with heavy tails
}

}  // namespace

float Tensor::get(std::uint64_t i) const {
  if (dtype_ == DType::f32) {
    float value;
    std::memcpy(&value, bytes_.data() + i * sizeof value, sizeof value);
    return value;
  }
  std::uint16_t bits;
  std::memcpy(&bits, bytes_.data() + i * sizeof bits, sizeof bits);
  return dtype_ == DType::f16 ? float_from_f16(bits) : float_from_bf16(bits);
}

void Tensor::set(std::uint64_t i, float value) {
  if (dtype_ == DType::f32) {
    std::memcpy(bytes_.data() + i * sizeof value, &value, sizeof value);
    return;
  }
  const std::uint16_t bits = dtype_ == DType::f16 ? f16_from_float(value) : bf16_from_float(value);
  std::memcpy(bytes_.data() + i * sizeof bits, &bits, sizeof bits);
}

// The first few values are enough to tell what went wrong.
void PrintTo(const Tensor& tensor, std::ostream* out) {
  *out << tensor.count() << " x " << name_of(tensor.dtype()) << (tensor.absent ? ", absent" : "");
  for (std::uint64_t i = 0; i < std::min<std::uint64_t>(tensor.count(), 4); ++i) *out << ' ' << tensor.get(i);
}

void PrintTo(const SavedSlot& slot, std::ostream* out) {
  *out << "parameter " << slot.param << (slot.hop == Hop::worker ? " worker [" : " owner [") << slot.first << ", "
       << slot.first + slot.values.size() << ')';
  for (std::size_t i = 0; i < std::min<std::size_t>(slot.values.size(), 2); ++i) *out << ' ' << slot.values[i];
}

std::vector<Param> awkward_params(std::uint64_t largest) {
  std::vector<Param> params;
  const auto add = [&](const char* name, std::uint64_t rows, std::uint64_t cols, DType dtype) {
    if (rows * cols <= largest) params.push_back({name, static_cast<std::uint32_t>(params.size()), rows, cols, dtype});
  };
  add("empty", 0, 7, DType::f32);
  add("scalar", 1, 1, DType::f32);
  add("vector", 1, 31, DType::f32);
  add("half", 33, 17, DType::f16);
  add("matrix", 61, 97, DType::f32);
  add("brain", 1, 1000, DType::bf16);
  add("wide", 3, 1367, DType::f32);
  return params;
}

Tensors gradients_of(std::span<const Param> params, Values values, std::uint64_t step, std::uint32_t rank) {
  Tensors tensors;
  for (const Param& param : params) {
    Tensor& tensor = tensors.emplace_back(param.dtype, param.count());
    for (std::uint64_t i = 0; i < param.count(); ++i)
      tensor.set(i, value_of(values, philox4x32({static_cast<std::uint32_t>(i), param.id, rank, 0},
                                                {static_cast<std::uint32_t>(step), 7})));
  }
  return tensors;
}

GroupSpec group_on_devices(std::uint32_t ranks, const char* codec, const char* algorithm) {
  GroupSpec spec{.ranks = ranks, .params = awkward_params(), .staged_transport = {}, .devices = Devices::all};
  std::erase_if(spec.params, [](const Param& param) { return param.dtype != DType::f32; });
  for (std::uint32_t id = 0; id < spec.params.size(); ++id) spec.params[id].id = id;
  spec.options.codec = codec;
  spec.options.algorithm = algorithm;
  spec.options.chunk_bytes = 2048;
  return spec;
}

CommunicatorOptions Member::options_of(const GroupSpec& spec, const Transport& transport) {
  CommunicatorOptions options = spec.options;
  const bool on_device =
      spec.devices == Devices::all || (spec.devices == Devices::mixed && !kDefaults.lies_on_host(transport.rank()));
  if (on_device) {
    options.exec.backend = Backend::cuda;
    options.exec.device = device_of(transport.rank());
  }
  return options;
}

Member::Member(const GroupSpec& spec, TransportPtr transport)
    : params_(spec.params),
      buckets_(plan_buckets(params_, spec.bucket_bytes)),
      options_(options_of(spec, *transport)),
      communicator_(std::move(transport), options_) {
  if (on_device()) {
    stream_.emplace(options_.exec.device);
    maker_ = options_.exec;
    maker_.stream = stream_->get();
    for (const Param& param : params_) {
      const std::size_t bytes = param.count() * bytes_of(param.dtype) + 1;
      copies_.push_back({allocate_block(memory_of(Residence::pinned), bytes),
                         allocate_block(memory_of(Residence::device, options_.exec.device), bytes)});
    }
  }
  communicator_.register_parameters(params_, buckets_);
}

std::vector<Piece> Member::make(std::uint32_t bucket, Tensors& tensors) {
  std::vector<Piece> pieces = buckets_[bucket];
  for (Piece& piece : pieces) {
    TensorView view = tensors[piece.param->id].view();
    if (on_device() && view.data != nullptr) {
      const Copies& copies = copies_[piece.param->id];
      std::memcpy(copies.pinned.get(), view.data, view.bytes());
      copy_bytes(maker_, {copies.pinned.get(), view.bytes()}, {copies.device.get(), view.bytes()});
      view.data = copies.device.get();
    }
    piece.data = view;
  }
  return pieces;
}

std::vector<Piece> Member::pieces(std::uint32_t bucket, Tensors& tensors) {
  auto pieces = make(bucket, tensors);
  synchronize(maker_);
  return pieces;
}

void Member::fetch(Tensors& tensors) {
  for (Tensor& tensor : tensors) {
    const TensorView view = tensor.view();
    const std::byte* const device = copies_[static_cast<std::size_t>(&tensor - tensors.data())].device.get();
    if (view.data != nullptr)
      copy_bytes(options_.exec, {device, view.bytes()}, {static_cast<std::byte*>(view.data), view.bytes()});
  }
  synchronize(options_.exec);
}

Work Member::hand_over(std::uint32_t bucket, Tensors& tensors) {
  if (!on_device()) return communicator_.all_reduce({bucket, pieces(bucket, tensors)});
  return communicator_.all_reduce(maker_, {bucket, make(bucket, tensors)});
}

StepOutcome Member::step(std::uint64_t step, Tensors& tensors) {
  communicator_.begin_step({step, 0.1, 1});
  for (std::uint32_t bucket = 0; bucket < buckets(); ++bucket) hand_over(bucket, tensors);
  const StepOutcome outcome = communicator_.end_step(soon());
  if (on_device()) fetch(tensors);
  return outcome;
}

std::vector<std::byte> Member::saved_state() {
  std::vector<std::byte> saved;
  communicator_.save_state(
      [&](std::span<const std::byte> bytes) { saved.insert(saved.end(), bytes.begin(), bytes.end()); });
  return saved;
}

std::vector<TransportPtr> connect_group(const GroupSpec& spec, double deadline_seconds) {
  std::vector<TransportPtr> transports(spec.ranks);
  const auto meeting = ThreadBootstrap::meeting(spec.ranks);
  on_ranks(spec.ranks, [&](std::uint32_t rank) {
    std::optional<cuda::CurrentDevice> current;
    if (spec.devices != Devices::none) current.emplace(device_of(rank));
    ThreadBootstrap bootstrap(meeting, rank);
    const bool stages_it = stages(rank) && !spec.staged_transport.empty();
    transports[rank] = connect_over(bootstrap, {.transport = stages_it ? spec.staged_transport : spec.transport,
                                                .deadline_seconds = deadline_seconds});
  });
  return transports;
}

void with_group(const GroupSpec& spec, const std::function<void(Member&)>& body) {
  auto transports = connect_group(spec);
  on_ranks(spec.ranks, [&](std::uint32_t rank) {
    Member member(spec, std::move(transports[rank]));
    body(member);
    member.communicator().barrier(soon());  // nobody leaves while others wait for it
  });
}

std::vector<SavedSlot> slots_in(std::span<const std::byte> saved) {
  const auto take = [&](auto& value) {
    std::memcpy(&value, saved.data(), sizeof value);
    saved = saved.subspan(sizeof value);
  };
  std::uint32_t magic, version;
  std::uint64_t text_bytes, count;
  take(magic), take(version), take(text_bytes);
  saved = saved.subspan(text_bytes);
  take(count);
  std::vector<SavedSlot> slots(count);
  for (SavedSlot& slot : slots) {
    std::uint32_t hop;
    std::uint64_t name_hash, values;
    take(slot.param), take(hop), take(name_hash), take(slot.first), take(values);
    slot.hop = static_cast<Hop>(hop);
    slot.values.resize(values);
    if (values != 0) std::memcpy(slot.values.data(), saved.data(), values * sizeof(float));
    saved = saved.subspan(values * sizeof(float));
  }
  return slots;
}

}  // namespace tw::test
