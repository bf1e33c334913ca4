// Codecs on a device: the tensor in one run, times by the device's clock.
#include "bench/codecs_device.hpp"

#include "bench/codecs_figures.hpp"
#include "bench/codecs_worker.hpp"
#include "kernels/clear.hpp"
#include "kernels/inspect.hpp"

namespace tw {
namespace {

Block room_for(const Exec& exec, std::uint64_t count) {
  return allocate_block(memory_of(Residence::device, exec.device), count * sizeof(float));
}

}  // namespace

// One case.
class DeviceCodecBench::Measurement {
 public:
  Measurement(DeviceCodecBench& bench, const std::string& spec)
      : clock_(bench.clock_),
        values_(bench.span(bench.d_values_)),
        out_(bench.span(bench.d_out_)),
        status_(room_for(clock_.exec(), 1)),
        exec_(clock_.exec()),
        param_{"data", 0, 1, bench.values_.size(), DType::f32},
        codec_(spec, param_),
        worker_(param_, {0, bench.values_.size()}, codec_, exec_) {
    fill_zero(exec_, {status_.get(), sizeof(std::uint32_t)});
    exec_.status = reinterpret_cast<std::uint32_t*>(status_.get());
  }

  void round() {
    const auto timed = [&](std::vector<double>& seconds, auto work) { seconds.push_back(clock_.seconds(work)); };
    timed(seconds_.copy, [&] { copy<float>(exec_, values_, out_); });
    timed(seconds_.read, [&] { inspect(exec_, values_); });
    timed(seconds_.write, [&] { clear_bytes(exec_, std::as_writable_bytes(out_)); });
    if (codec_.with_feedback) timed(seconds_.encode_ef, [&] { worker_.encode_with_feedback(values_); });
    timed(seconds_.encode, [&] { worker_.encode(values_); });
    timed(seconds_.decode, [&] { worker_.decode(Combine::add, out_); });
  }
  void forget() { seconds_ = {}; }

  CodecRow row(std::span<const float> values, std::span<float> decoded) {
    worker_.decode(Combine::assign, out_);
    copy<float>(exec_, out_, decoded);
    synchronize(exec_);
    CodecRow row =
        figures_of(seconds_, {values, decoded, static_cast<double>(worker_.body_bytes()), codec_.traits.sparse});
    row.codec = codec_.plain.canonical_spec();
    row.timed = clock_.tells_time();
    return row;
  }

 private:
  DeviceClock& clock_;
  std::span<float> values_, out_;
  Block status_;
  Exec exec_;
  Param param_;
  MeasuredCodec codec_;
  CodecWorker worker_;
  CodecSeconds seconds_;
};

DeviceCodecBench::DeviceCodecBench(std::uint64_t count, std::uint32_t device)
    : clock_(device),
      values_(count),
      decoded_(count),
      d_values_(room_for(clock_.exec(), count)),
      d_out_(room_for(clock_.exec(), count)) {}

std::span<float> DeviceCodecBench::span(const Block& block) const {
  return {reinterpret_cast<float*>(block.get()), values_.size()};
}

CodecRow DeviceCodecBench::measure(const CodecCase& one) {
  if (filled_ != one.data) {
    Team team(all_cores());
    fill(one.data, team, values_);
    copy<float>(clock_.exec(), values_, span(d_values_));
  }
  filled_ = one.data;
  Measurement measurement(*this, one.codec);
  measurement.round();  // loads code, and scratch memory grows
  measurement.forget();
  for (std::uint64_t round = 0; round < one.rounds; ++round) measurement.round();
  CodecRow row = measurement.row(values_, decoded_);
  row.data = one.data;
  return row;
}

}  // namespace tw
