#include <algorithm>
#include <memory>

#include "bench/codecs.hpp"
#include "compress/compressor.hpp"
#include "compress/spec.hpp"
#include "compress/state.hpp"
#include "kernels/base/aligned.hpp"
#include "kernels/base/arena.hpp"

namespace tw {
namespace {

constexpr StepInfo kStep{1, 0.1, 1};
constexpr EncodeKey kKey{20240521, 1, 0, Hop::worker};

// Seconds of each op, a round an entry.
struct Seconds {
  std::vector<double> copy, read, write, encode, encode_ef, decode;
};

// One thread's run, its body and its memories.
class Worker {
 public:
  Worker(const Param& param, Part part, const Compressor& codec, const Compressor* with_feedback, Backend backend)
      : param_(param), part_(part), codec_(codec), with_feedback_(with_feedback) {
    exec_.backend = backend;
    exec_.arena = &arena_;
    exec_.status = &status_;
    body_.resize(codec.codec().max_bytes({&param, part.first, part.count}));
    if (with_feedback_ != nullptr) with_feedback_->declare_slots(state_, param, Hop::worker, part.first, part.count);
  }

  void encode(std::span<const float> values) { encode_with(codec_, nullptr, values); }
  void encode_ef(std::span<const float> values) {
    encode_with(*with_feedback_, &state_, values);
    state_.commit();
  }
  void decode(Combine combine, std::span<float> out) {
    if (part_.count == 0) return;
    const DecodeJob job{{body_.data(), used_}, {&param_, part_.first, out.subspan(part_.first, part_.count)}};
    codec_.decode(context(nullptr), {&job, 1}, combine, 1.0f);
  }
  std::size_t body_bytes() const { return used_; }

 private:
  Context context(State* state) { return {exec_, kKey, kStep, state}; }
  void encode_with(const Compressor& codec, State* state, std::span<const float> values) {
    if (part_.count == 0) return;
    const EncodeJob job{{&param_, part_.first, values.subspan(part_.first, part_.count)}, body_};
    codec.encode(context(state), {&job, 1}, {&used_, 1});
  }

  const Param& param_;
  Part part_;
  const Compressor& codec_;
  const Compressor* with_feedback_;
  Arena arena_;
  std::uint32_t status_ = 0;
  Exec exec_;
  State state_;
  AlignedVector<std::byte> body_;
  std::uint32_t used_ = 0;
};

std::string without_memory(const std::string& spec) {
  return print_spec({parse_spec(Compressor(spec).canonical_spec()).front()});
}

// One case: the codec, its workers, what was measured.
class Measurement {
 public:
  Measurement(const CodecCase& one, Team& team, std::span<const float> values, std::span<float> out)
      : team_(team),
        values_(values),
        out_(out),
        param_{"data", 0, 1, values.size(), DType::f32},
        codec_(without_memory(one.codec)),
        traits_(codec_.codec().traits(param_)),
        workers_(team.threads()) {
    if (traits_.contractive && !traits_.lossless) with_feedback_.emplace(codec_.canonical_spec() + "+ef");
    const Compressor* with_feedback = with_feedback_ ? &*with_feedback_ : nullptr;
    team_.run([&](std::uint32_t thread) {
      const Part part = part_of(values.size(), traits_.granule, thread, team_.threads());
      workers_[thread] = std::make_unique<Worker>(param_, part, codec_, with_feedback, one.backend);
    });
  }

  void round() {
    seconds_.copy.push_back(seconds_to_copy(team_, values_, out_));
    seconds_.read.push_back(seconds_to_read(team_, values_));
    seconds_.write.push_back(seconds_to_write(team_, out_));
    if (with_feedback_) seconds_.encode_ef.push_back(each([&](Worker& worker) { worker.encode_ef(values_); }));
    seconds_.encode.push_back(each([&](Worker& worker) { worker.encode(values_); }));
    seconds_.decode.push_back(each([&](Worker& worker) { worker.decode(Combine::add, out_); }));
  }
  void forget() { seconds_ = {}; }

  CodecRow row() {
    each([&](Worker& worker) { worker.decode(Combine::assign, out_); });
    const double bytes = static_cast<double>(values_.size_bytes());
    const double read = bytes / median_of(seconds_.read), written = bytes / median_of(seconds_.write);
    const double body = body_bytes(), touched = touched_bytes();
    CodecRow row;
    row.codec = codec_.canonical_spec();
    row.count = values_.size();
    row.threads = team_.threads();
    row.bits_per_element = 8 * body / static_cast<double>(values_.size());
    row.vnmse = vnmse();
    row.encode = rate(seconds_.encode, bytes / read + body / written);
    row.decode = rate(seconds_.decode, (body + touched) / read + touched / written);
    if (with_feedback_) row.encode_ef = rate(seconds_.encode_ef, 2 * bytes / read + (body + bytes) / written);
    row.memcpy_gbps = bytes / median_of(seconds_.copy) / 1e9;
    row.read_gbps = read / 1e9;
    row.write_gbps = written / 1e9;
    return row;
  }

 private:
  template <class Work>
  double each(Work work) {
    return team_.seconds([&](std::uint32_t thread) { work(*workers_[thread]); });
  }
  CodecRate rate(const std::vector<double>& seconds, double floor_seconds) const {
    const double median = median_of(seconds);
    return {static_cast<double>(values_.size_bytes()) / median / 1e9, floor_seconds / median};
  }
  double body_bytes() const {
    std::size_t bytes = 0;
    for (const auto& worker : workers_) bytes += worker->body_bytes();
    return static_cast<double>(bytes);
  }
  // Of `out`, which holds what the bodies decode to: what decode-and-add changes.
  double touched_bytes() const {
    const auto untouched = traits_.sparse ? std::count(out_.begin(), out_.end(), 0.0f) : 0;
    return static_cast<double>((out_.size() - static_cast<std::size_t>(untouched)) * sizeof(float));
  }
  double vnmse() const {
    double error = 0, norm = 0;
    for (std::size_t i = 0; i < values_.size(); ++i) {
      const double value = values_[i], lost = value - static_cast<double>(out_[i]);
      error += lost * lost;
      norm += value * value;
    }
    return norm > 0 ? error / norm : error;
  }

  Team& team_;
  std::span<const float> values_;
  std::span<float> out_;
  Param param_;
  Compressor codec_;
  CodecTraits traits_;
  std::optional<Compressor> with_feedback_;
  std::vector<std::unique_ptr<Worker>> workers_;
  Seconds seconds_;
};

}  // namespace

CodecBench::CodecBench(std::uint64_t count, std::uint32_t threads) : team_(threads), values_(count), out_(count) {}

CodecRow CodecBench::measure(const CodecCase& one) {
  if (filled_ != one.data) fill(one.data, team_, values_);
  filled_ = one.data;
  Measurement measurement(one, team_, values_, out_);
  measurement.round();  // warms up pages and arenas
  measurement.forget();
  for (std::uint64_t round = 0; round < one.rounds; ++round) measurement.round();
  CodecRow row = measurement.row();
  row.data = one.data;
  return row;
}

}  // namespace tw
