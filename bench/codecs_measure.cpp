#include <memory>

#include "bench/codecs.hpp"
#include "bench/codecs_figures.hpp"
#include "bench/codecs_worker.hpp"

namespace tw {
namespace {

// One case: the codec, its workers, what was measured.
class Measurement {
 public:
  Measurement(const CodecCase& one, Team& team, std::span<const float> values, std::span<float> out)
      : team_(team),
        values_(values),
        out_(out),
        param_{"data", 0, 1, values.size(), DType::f32},
        codec_(one.codec, param_),
        workers_(team.threads()) {
    team_.run([&](std::uint32_t thread) {
      const Part part = part_of(values.size(), codec_.traits.granule, thread, team_.threads());
      workers_[thread] = std::make_unique<CodecWorker>(param_, part, codec_, Exec{.backend = one.backend});
    });
  }

  void round() {
    seconds_.copy.push_back(seconds_to_copy(team_, values_, out_));
    seconds_.read.push_back(seconds_to_read(team_, values_));
    seconds_.write.push_back(seconds_to_write(team_, out_));
    if (codec_.with_feedback)
      seconds_.encode_ef.push_back(each([&](CodecWorker& worker) { worker.encode_with_feedback(values_); }));
    seconds_.encode.push_back(each([&](CodecWorker& worker) { worker.encode(values_); }));
    seconds_.decode.push_back(each([&](CodecWorker& worker) { worker.decode(Combine::add, out_); }));
  }
  void forget() { seconds_ = {}; }

  CodecRow row() {
    each([&](CodecWorker& worker) { worker.decode(Combine::assign, out_); });
    CodecRow row = figures_of(seconds_, {values_, out_, body_bytes(), codec_.traits.sparse});
    row.codec = codec_.plain.canonical_spec();
    row.threads = team_.threads();
    return row;
  }

 private:
  template <class Work>
  double each(Work work) {
    return team_.seconds([&](std::uint32_t thread) { work(*workers_[thread]); });
  }
  double body_bytes() const {
    std::size_t bytes = 0;
    for (const auto& worker : workers_) bytes += worker->body_bytes();
    return static_cast<double>(bytes);
  }

  Team& team_;
  std::span<const float> values_;
  std::span<float> out_;
  Param param_;
  MeasuredCodec codec_;
  std::vector<std::unique_ptr<CodecWorker>> workers_;
  CodecSeconds seconds_;
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
