#include <tightwire/communicator.hpp>

#include <cstring>
#include <optional>

#include "collectives/algorithm.hpp"
#include "collectives/bucket_task.hpp"
#include "collectives/engine.hpp"
#include "collectives/plan.hpp"
#include "collectives/registration.hpp"
#include "collectives/select.hpp"
#include "collectives/small.hpp"
#include "collectives/state_file.hpp"
#include "collectives/transport.hpp"
#include "collectives/vote.hpp"
#include "kernels/base/check.hpp"
#include "kernels/cuda/device.hpp"

namespace tw {
namespace {

constexpr std::size_t kMaxDenseBytes = 1u << 20;

template <class T>
void reduce_into(std::span<T> sum, std::span<const T> addend, Communicator::Reduce op) {
  for (std::size_t i = 0; i < sum.size(); ++i)
    sum[i] = op == Communicator::Reduce::sum ? sum[i] + addend[i] : std::max(sum[i], addend[i]);
}

// Reduces the ranks' tensors, gathered one after another, in rank order.
template <class T>
void reduce_in_rank_order(std::span<const std::byte> gathered, TensorView tensor, Communicator::Reduce op) {
  const std::span<T> out(static_cast<T*>(tensor.data), tensor.count);
  std::vector<T> addend(tensor.count);
  for (std::size_t begin = 0; begin < gathered.size(); begin += tensor.bytes()) {
    std::memcpy(addend.data(), gathered.data() + begin, tensor.bytes());
    if (begin == 0)
      std::copy(addend.begin(), addend.end(), out.begin());
    else
      reduce_into<T>(out, addend, op);
  }
}

}  // namespace

/// What a Work keeps of its bucket; the engine may be gone before it.
struct Work::Shared {
  std::shared_ptr<Ticket> ticket;
  std::weak_ptr<Engine> engine;
};

bool Work::done() const { return shared_ == nullptr || shared_->ticket->done(); }

void Work::wait(Deadline deadline) {
  if (shared_ == nullptr) return;
  const auto engine = shared_->engine.lock();
  TW_CHECK(engine != nullptr, UsageError, "Work::wait after its communicator was destroyed");
  engine->wait(shared_->ticket, deadline);
}

void Work::join(const Exec& exec, Deadline deadline) {
  if (exec.backend != Backend::cuda || shared_ == nullptr) return wait(deadline);
  const auto engine = shared_->engine.lock();
  TW_CHECK(engine != nullptr, UsageError, "Work::join after its communicator was destroyed");
  engine->join(shared_->ticket, exec, deadline);
}

class Communicator::Impl {
 public:
  Impl(TransportPtr transport, CommunicatorOptions options);
  ~Impl() { engine_->stop(); }

  std::uint32_t rank() const { return engine_->rank(); }
  std::uint32_t ranks() const { return engine_->ranks(); }
  const Exec& exec() const { return options_.exec; }

  void register_parameters(std::vector<Param> params, std::span<const BucketPieces> buckets);
  void begin_step(const StepInfo& step);
  Work all_reduce(const Exec& made_by, const Bucket& bucket);
  Verdict verdict(Deadline deadline);
  StepOutcome end_step(Deadline deadline);
  void broadcast(TensorView tensor, std::uint32_t root, Deadline deadline);
  std::vector<std::byte> all_gather(std::span<const std::byte> blob, MessageKind kind, Deadline deadline);
  Stats stats();
  void save_state(const ByteSink& sink);
  void load_state(const ByteSource& source);
  void abort(const std::string& reason) noexcept;

 private:
  enum class Phase : std::uint8_t { unregistered, between_steps, in_step, voted };

  bool on_device() const { return options_.exec.backend == Backend::cuda; }
  void require(Phase phase, std::string_view call) const;
  std::string describe_place() const;
  void prepare_buckets(Group& group);
  void start_vote();
  void hand_over_missing();
  void submit_bucket(const Exec& made_by, const Bucket& bucket);
  std::string state_configuration() const;

  const CommunicatorOptions options_;
  const Algorithm* algorithm_ = nullptr;  // chosen at registration
  const CompressorTable compressors_;
  std::shared_ptr<Engine> engine_;  // what follows goes first: buckets hold its buffers
  std::vector<Param> params_;
  std::vector<BucketPlan> plans_;
  std::vector<std::shared_ptr<BucketTask>> tasks_;  // by bucket
  std::vector<std::shared_ptr<Ticket>> tickets_;    // by bucket; null until handed over in this step
  std::shared_ptr<AllGather> vote_;
  std::shared_ptr<Ticket> vote_ticket_;
  Verdict verdict_;
  Phase phase_ = Phase::unregistered;
  std::uint64_t step_ = 0;
  std::uint32_t absent_ = 0;    // parameters of this rank without gradient in this step
  std::uint32_t consumed_ = 0;  // buckets encoded in this step; of the engine's thread
  std::uint32_t sequence_ = 0;  // small collectives so far
  std::uint64_t steps_ = 0, skipped_steps_ = 0, absent_pieces_ = 0;
  std::size_t state_bytes_ = 0;  // all slots are declared at registration
};

Communicator::Impl::Impl(TransportPtr transport, CommunicatorOptions options)
    : options_(std::move(options)), compressors_(options_.codec, options_.codec_for) {
  check_algorithm_name(options_.algorithm);
  TW_CHECK(options_.chunk_bytes >= 1024, UsageError, "chunk_bytes is ", options_.chunk_bytes, "; at least 1024");
  std::optional<cuda::CurrentDevice> current;
  if (on_device()) {
    cuda::require_usable(options_.exec);
    current.emplace(options_.exec.device);
  }
  engine_ = std::make_shared<Engine>(std::move(transport), options_.exec, options_.log);
  engine_->run([&](Group& group) {
    group.seed = options_.seed;
    group.communicator = options_.communicator_id;
    group.checksum = options_.checksum ? Checksum::crc32c : Checksum::none;
  });
}

void Communicator::Impl::require(Phase phase, std::string_view call) const {
  static constexpr std::string_view kMeaning[] = {"before register_parameters", "between steps", "inside a step",
                                                  "after the verdict"};
  TW_CHECK(phase_ == phase, UsageError, call, " was called ", kMeaning[static_cast<int>(phase_)], "; it belongs ",
           kMeaning[static_cast<int>(phase)]);
}

void Communicator::Impl::register_parameters(std::vector<Param> params, std::span<const BucketPieces> buckets) {
  require(Phase::unregistered, "register_parameters");
  const Deadline deadline = Deadline::in(options_.deadline_seconds);
  check_params(params);
  algorithm_ = &select_algorithm(options_.algorithm, {params, buckets, compressors_, ranks(), options_.chunk_bytes});
  const std::uint32_t owners = algorithm_->owners(ranks());
  const auto planned = check_buckets(params, buckets, compressors_, owners);
  std::vector<BucketPlan> plans;
  for (std::size_t b = 0; b < planned.size(); ++b) {
    plans.emplace_back(static_cast<std::uint32_t>(b), planned[b], compressors_,
                       PlanOptions{owners, options_.chunk_bytes});
    check_plan(plans.back());
  }
  agree(describe_configuration(options_, compressors_) + describe_place() + describe_params(params) +
            describe_buckets(plans),
        [&](std::span<const std::byte> blob) { return all_gather(blob, MessageKind::handshake, deadline); });
  params_ = std::move(params);  // what was refused leaves nothing behind
  plans_ = std::move(plans);
  engine_->run([&](Group& group) { prepare_buckets(group); });
  tickets_.resize(plans_.size());
  phase_ = Phase::between_steps;
}

// Messages in the order of a stream meet only their like.
std::string Communicator::Impl::describe_place() const {
  if (!engine_->group().transport.caps().stream_ordered) return {};
  return detail::concat("gradients: ", on_device() ? "on devices" : "on the host", "\n");
}

void Communicator::Impl::prepare_buckets(Group& group) {
  for (const BucketPlan& plan : plans_) {
    algorithm_->declare_slots(group.state, plan, ranks(), rank());
    tasks_.push_back(std::make_shared<BucketTask>(group, algorithm_->prepare(group, plan), consumed_));
  }
  state_bytes_ = group.state.bytes();
}

void Communicator::Impl::begin_step(const StepInfo& step) {
  require(Phase::between_steps, "begin_step");
  step_ = step.step;
  absent_ = 0;
  engine_->run([&](Group& group) {
    group.step = step;
    group.status(Hop::worker) = group.status(Hop::owner) = 0;
    group.turn = consumed_ = 0;
  });
  start_vote();
  phase_ = Phase::in_step;
}

// The vote waits on the engine's thread until all buckets are encoded. `absent_` is final by then: the last bucket was
// handed over before.
void Communicator::Impl::start_vote() {
  Group& group = engine_->group();
  const std::uint32_t buckets = static_cast<std::uint32_t>(plans_.size());
  AllGather::Source source;
  source.bytes = sizeof(VoteRecord);
  source.ready = [this, buckets] { return consumed_ == buckets; };
  source.record = [this, &group](std::span<std::byte> out) {
    const VoteRecord record{group.step.step, group.status(Hop::worker), absent_};
    std::memcpy(out.data(), &record, sizeof record);
    engine_->set_voted(true);  // whoever has all votes may commit from here on
  };
  vote_ = std::make_shared<AllGather>(group, SmallId{MessageKind::vote, sequence_++},
                                      "the vote of step " + std::to_string(step_), std::move(source));
  vote_ticket_ = engine_->submit(vote_);
}

Work Communicator::Impl::all_reduce(const Exec& made_by, const Bucket& bucket) {
  require(Phase::in_step, "all_reduce");
  TW_CHECK(bucket.id < plans_.size(), UsageError, "bucket ", bucket.id, " is not registered; there are ",
           plans_.size());
  TW_CHECK(tickets_[bucket.id] == nullptr, UsageError, "bucket ", bucket.id, " was handed over twice in step ", step_);
  check_handed_over(bucket, plans_[bucket.id].pieces(), options_.exec);
  TW_CHECK(on_device() || made_by.backend != Backend::cuda, UsageError, "bucket ", bucket.id,
           " was made on a CUDA device, and the communicator's gradients lie on the host (CommunicatorOptions::exec)");
  TW_CHECK(!on_device() || made_by.device == options_.exec.device, UsageError, "bucket ", bucket.id,
           " was made on CUDA device ", made_by.device, "; the communicator's is ", options_.exec.device);
  if (on_device() && made_by.stream != options_.exec.stream) cuda::require_usable(made_by);
  submit_bucket(made_by, bucket);
  return Work(std::make_shared<Work::Shared>(Work::Shared{tickets_[bucket.id], engine_}));
}

void Communicator::Impl::submit_bucket(const Exec& made_by, const Bucket& bucket) {
  for (const Piece& piece : bucket.pieces)
    if (piece.data.data == nullptr && piece.first == 0 && piece.data.count != 0) ++absent_;
  tasks_[bucket.id]->hand_over(bucket.pieces, made_by);
  tickets_[bucket.id] = engine_->submit(tasks_[bucket.id]);
}

void Communicator::Impl::hand_over_missing() {
  for (const BucketPlan& plan : plans_) {
    if (tickets_[plan.bucket()] != nullptr) continue;
    const std::vector<Piece> pieces = plan.absent_pieces();
    submit_bucket(options_.exec, {plan.bucket(), pieces});
  }
}

Verdict Communicator::Impl::verdict(Deadline deadline) {
  if (phase_ == Phase::voted) return verdict_;
  require(Phase::in_step, "verdict");
  hand_over_missing();
  engine_->wait(vote_ticket_, deadline);
  std::vector<VoteRecord> records(ranks());
  std::memcpy(records.data(), vote_->gathered().data(), vote_->gathered().size());
  verdict_ = decide(records);
  engine_->set_voted(verdict_.commit);
  phase_ = Phase::voted;
  return verdict_;
}

StepOutcome Communicator::Impl::end_step(Deadline deadline) {
  const Verdict verdict = this->verdict(deadline);
  for (const auto& ticket : tickets_) engine_->wait(ticket, deadline);
  engine_->run([&](Group& group) {
    if (!verdict.commit) {
      engine_->log("step " + std::to_string(step_) + " skipped: " + verdict.reason);
      return group.state.rollback();
    }
    TW_CHECK((group.status(Hop::owner) & kStatusNonFinite) == 0, Error,
             "the sum of finite gradients overflowed at rank ", group.rank(), " in step ", step_,
             "; lower the loss scale or the learning rate");
    group.state.commit();
  });
  engine_->set_voted(false);
  std::fill(tickets_.begin(), tickets_.end(), nullptr);
  phase_ = Phase::between_steps;
  ++steps_;
  skipped_steps_ += verdict.commit ? 0 : 1;
  absent_pieces_ += verdict.absent;
  return {verdict.commit, verdict.reason, verdict.rank, verdict.absent};
}

void Communicator::Impl::broadcast(TensorView tensor, std::uint32_t root, Deadline deadline) {
  TW_CHECK(root < ranks(), UsageError, "broadcast from rank ", root, "; ranks are 0 to ", ranks() - 1);
  const std::span<std::byte> bytes(static_cast<std::byte*>(tensor.data), tensor.bytes());
  const SmallId id{MessageKind::broadcast, sequence_++};
  engine_->wait(engine_->submit(std::make_shared<Broadcast>(engine_->group(), id, root, bytes)), deadline);
}

std::vector<std::byte> Communicator::Impl::all_gather(std::span<const std::byte> blob, MessageKind kind,
                                                      Deadline deadline) {
  AllGather::Source source;
  source.bytes = blob.size();
  source.record = [blob](std::span<std::byte> out) { std::copy(blob.begin(), blob.end(), out.begin()); };
  static constexpr const char* kWhat[] = {"", "", "", "", "barrier", "gather", "registration"};
  const auto operation = std::make_shared<AllGather>(engine_->group(), SmallId{kind, sequence_++},
                                                     kWhat[static_cast<int>(kind)], std::move(source));
  engine_->wait(engine_->submit(operation), deadline);
  return {operation->gathered().begin(), operation->gathered().end()};
}

Stats Communicator::Impl::stats() {
  const Counters& counters = engine_->counters();
  const WaitedSeconds waited = engine_->waited();
  Stats stats;
  stats.steps = steps_;
  stats.skipped_steps = skipped_steps_;
  stats.absent_pieces = absent_pieces_;
  stats.sent_bytes = counters.sent_bytes;
  stats.sent_messages = counters.sent_messages;
  stats.encode_seconds = counters.encode_seconds;
  stats.decode_seconds = counters.decode_seconds;
  stats.waited_encode_seconds = waited.encode;
  stats.waited_decode_seconds = waited.decode;
  stats.waited_comm_seconds = waited.comm;
  stats.state_bytes = state_bytes_;
  return stats;
}

// What must be equal for saved memories to fit: they belong to one rank of one partition.
std::string Communicator::Impl::state_configuration() const {
  return detail::concat("algorithm: ", algorithm_->name(), "\nrank: ", rank(), " of ", ranks(), "\n",
                        compressors_.description(), "\n", describe_params(params_));
}

void Communicator::Impl::save_state(const ByteSink& sink) {
  require(Phase::between_steps, "save_state");
  engine_->run([&](Group&) {});  // the thread is idle from here on: nothing is under way between steps
  write_state(engine_->group().state, state_configuration(), sink);
}

void Communicator::Impl::load_state(const ByteSource& source) {
  require(Phase::between_steps, "load_state");
  engine_->run([&](Group&) {});
  read_state(engine_->group().state, state_configuration(), source);
}

void Communicator::Impl::abort(const std::string& reason) noexcept {
  try {
    engine_->fail(Failure(PeerError(rank(), detail::concat("rank ", rank(), " aborted: ", reason))));
  } catch (...) {  // out of memory: the destructor tells the others instead
  }
}

Communicator::Communicator(TransportPtr transport, CommunicatorOptions options)
    : impl_(std::make_unique<Impl>(std::move(transport), std::move(options))) {}
Communicator::~Communicator() = default;
Communicator::Communicator(Communicator&&) noexcept = default;
Communicator& Communicator::operator=(Communicator&&) noexcept = default;

std::uint32_t Communicator::rank() const { return impl_->rank(); }
std::uint32_t Communicator::ranks() const { return impl_->ranks(); }

void Communicator::register_parameters(std::vector<Param> params, std::vector<BucketPieces> buckets) {
  impl_->register_parameters(std::move(params), buckets);
}
void Communicator::begin_step(const StepInfo& step) { impl_->begin_step(step); }
Work Communicator::all_reduce(const Bucket& bucket) { return impl_->all_reduce(impl_->exec(), bucket); }
Work Communicator::all_reduce(const Exec& made_by, const Bucket& bucket) { return impl_->all_reduce(made_by, bucket); }
Verdict Communicator::verdict(Deadline deadline) { return impl_->verdict(deadline); }
StepOutcome Communicator::end_step(Deadline deadline) { return impl_->end_step(deadline); }

void Communicator::broadcast(TensorView tensor, std::uint32_t root, Deadline deadline) {
  impl_->broadcast(tensor, root, deadline);
}
void Communicator::barrier(Deadline deadline) { impl_->all_gather({}, MessageKind::barrier, deadline); }

void Communicator::all_reduce_dense(TensorView tensor, Reduce op, Deadline deadline) {
  TW_CHECK(tensor.bytes() <= kMaxDenseBytes, UsageError, "all_reduce_dense of ", tensor.bytes(), " bytes; at most ",
           kMaxDenseBytes, ": register parameters for more");
  TW_CHECK(tensor.dtype == DType::f32 || tensor.dtype == DType::u32, UsageError, "all_reduce_dense of ",
           name_of(tensor.dtype), "; it takes f32 and u32");
  const std::span<const std::byte> own(static_cast<const std::byte*>(tensor.data), tensor.bytes());
  const auto gathered = impl_->all_gather(own, MessageKind::dense, deadline);
  if (tensor.dtype == DType::f32)
    reduce_in_rank_order<float>(gathered, tensor, op);
  else
    reduce_in_rank_order<std::uint32_t>(gathered, tensor, op);
}

std::vector<std::byte> Communicator::all_gather(std::span<const std::byte> blob, Deadline deadline) {
  return impl_->all_gather(blob, MessageKind::dense, deadline);
}

Stats Communicator::stats() const { return impl_->stats(); }
void Communicator::save_state(const std::function<void(std::span<const std::byte>)>& sink) { impl_->save_state(sink); }
void Communicator::load_state(const std::function<void(std::span<std::byte>)>& source) { impl_->load_state(source); }
void Communicator::abort(const std::string& reason) noexcept { impl_->abort(reason); }

}  // namespace tw
