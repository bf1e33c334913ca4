#include "kernels/cuda/batch.hpp"

#include <utility>

#include "kernels/cuda/device.hpp"

namespace tw {

std::size_t LaunchBatch::reserved_bytes() const {
  const auto of = [](const auto& vector) { return vector.capacity() * sizeof(vector[0]); };
  return of(stages_) + of(runs_) + of(bytes_) + of(gathered_);
}

void LaunchBatch::open(Arena* arena) {
  open_ = true;
  at_ = 0;
  jobs_ = {};
  if (arena != nullptr) hold_.emplace(*arena);
}

LaunchBatch::Span LaunchBatch::enter() { return std::exchange(jobs_, {at_, at_}); }

void LaunchBatch::leave(Span outer) {
  at_ = jobs_.end;
  jobs_ = {outer.begin, later(outer.end, at_)};
}

std::uint32_t LaunchBatch::later(std::uint32_t one, std::uint32_t other) const {
  for (std::uint32_t s = one; s != kNone; s = stages_[s].next)
    if (s == other) return other;
  return one;
}

void LaunchBatch::close() {
  stages_.resize(1);
  stages_.front() = {};
  runs_.clear();
  bytes_.clear();
  hold_.reset();
  open_ = false;
}

std::uint32_t LaunchBatch::stage_for(const cuda::KernelKind& kind) {
  for (std::uint32_t s = stages_[at_].next; s != kNone; s = stages_[s].next)
    if (stages_[s].kind == &kind) return s;
  const auto added = static_cast<std::uint32_t>(stages_.size());
  stages_.push_back({&kind, stages_[at_].next, kNone, kNone});
  return stages_[at_].next = added;
}

void LaunchBatch::add(const cuda::KernelKind& kind, const cuda::GatheredRun& run) {
  at_ = stage_for(kind);
  jobs_.end = later(jobs_.end, at_);
  Stage& stage = stages_[at_];
  const auto added = static_cast<std::uint32_t>(runs_.size());
  runs_.push_back({bytes_.size(), run.blocks, kNone});
  (stage.first == kNone ? stage.first : runs_[stage.last].next) = added;
  stage.last = added;
  const auto* parameters = static_cast<const std::byte*>(run.kernel);
  bytes_.insert(bytes_.end(), parameters, parameters + kind.bytes);
}

void LaunchBatch::launch(const Exec& exec) {
  for (std::uint32_t s = stages_.front().next; s != kNone; s = stages_[s].next) {
    gathered_.clear();
    for (std::uint32_t r = stages_[s].first; r != kNone; r = runs_[r].next)
      gathered_.push_back({bytes_.data() + runs_[r].bytes_before, runs_[r].blocks});
    stages_[s].kind->enqueue(exec, gathered_);
  }
}

namespace cuda {
namespace {

constinit const KernelKind* last_kind = nullptr;  // written before main begins

}  // namespace

KernelKind::KernelKind(std::size_t parameter_bytes, Enqueue enqueues, Load loads)
    : bytes(parameter_bytes), enqueue(enqueues), load(loads), next(std::exchange(last_kind, this)) {}

void load_kernels(const Exec& exec) {
  if (last_kind == nullptr) return;
  const CurrentDevice current(exec.device);
  for (const KernelKind* kind = last_kind; kind != nullptr; kind = kind->next) kind->load();
}

BatchScope::BatchScope(const Exec& exec) : exec_(exec), batch_(exec.backend == Backend::cuda ? exec.batch : nullptr) {
  if (batch_ == nullptr) return;
  if (batch_->is_open())
    outer_ = batch_->enter();
  else
    batch_->open(exec.arena);
}

BatchScope::~BatchScope() {
  if (batch_ != nullptr) end();
}

void BatchScope::begin_job() {
  if (batch_ != nullptr) batch_->begin_job();
}

void BatchScope::close() {
  if (batch_ == nullptr) return;
  if (!outer_) batch_->launch(exec_);
  end();
}

void BatchScope::end() {
  LaunchBatch& batch = *std::exchange(batch_, nullptr);
  if (outer_)
    batch.leave(*outer_);
  else
    batch.close();
}

}  // namespace cuda
}  // namespace tw
