#include "compress/captured.hpp"

#include <utility>

#include "kernels/base/check.hpp"
#include "kernels/cuda/batch.hpp"

namespace tw {
namespace {

constexpr std::size_t kMostGraphs = 2;  // live and next, and the other way round

// Before anything of a device is asked for.
const Exec& on_device(const Exec& exec) {
  TW_CHECK(exec.backend == Backend::cuda, UsageError,
           "work on the host cannot be captured in a graph; expected an Exec with Backend::cuda");
  return exec;
}

}  // namespace

CapturedWork::CapturedWork(const Context& context, Work work)
    : exec_(on_device(context.exec)),
      key_(context.key),
      state_(context.state),
      work_(std::move(work)),
      record_(exec_.device),
      arena_(memory_of(Residence::device, exec_.device)) {
  TW_CHECK(exec_.stream != nullptr, UsageError,
           "work on the default stream cannot be captured in a graph; expected an Exec with a stream of its own");
}

void CapturedWork::run(std::uint64_t step) {
  TW_CHECK(exec_.batch == nullptr || !exec_.batch->is_open(), UsageError,
           "captured work is no job of a batch; close the batch of its Exec before it is run");
  record_.set(exec_, step);
  if (!ran_) {  // kernels are loaded, and scratch memory grows
    enqueue();
    ran_ = true;
    return;
  }
  const Captured& captured = fitting();
  captured.graph.launch(exec_);
  if (state_ != nullptr) state_->write_again(captured.writes);
}

void CapturedWork::enqueue() {
  Exec exec = exec_;
  exec.arena = &arena_;
  work_({exec, key_, StepInfo{}, state_, record_.get()});
}

CapturedWork::Captured CapturedWork::capture() {
  State::Writes writes;
  cuda::Graph graph(exec_, [&] {
    if (state_ == nullptr) return enqueue();
    writes = state_->watch([&] { enqueue(); });
  });
  return {std::move(graph), std::move(writes)};
}

const CapturedWork::Captured& CapturedWork::fitting() {
  for (const Captured& captured : captured_)
    if (state_ == nullptr || state_->would_meet(captured.writes)) return captured;
  Captured captured = capture();
  if (captured_.size() == kMostGraphs) captured_.clear();  // other works wrote some of the slots meanwhile
  return captured_.emplace_back(std::move(captured));
}

void require_fixed_size(const Codec& codec, std::string_view spec, const Param& param) {
  TW_CHECK(codec.traits(param).fixed_size, UsageError, "'", spec, "' cannot be captured in a graph: the size of '",
           param.name, "' as a body depends on its values; expected a codec that is fixed_size");
}

CapturedWork captured_encode(const Context& context, const Compressor& compressor, std::span<const EncodeJob> jobs) {
  for (const EncodeJob& job : jobs)
    require_fixed_size(compressor.codec(), compressor.canonical_spec(), *job.input.param);
  return {context,
          [&compressor, own = std::vector(jobs.begin(), jobs.end()), bytes = std::vector<std::uint32_t>(jobs.size())](
              const Context& captured) mutable { compressor.encode(captured, own, bytes); }};
}

CapturedWork captured_decode(const Context& context, const Compressor& compressor, std::span<const DecodeJob> jobs,
                             Blend how) {
  for (const DecodeJob& job : jobs)
    require_fixed_size(compressor.codec(), compressor.canonical_spec(), *job.output.param);
  return {context, [&compressor, how, own = std::vector(jobs.begin(), jobs.end())](const Context& captured) {
            compressor.decode(captured, own, how.combine, how.scale);
          }};
}

}  // namespace tw
