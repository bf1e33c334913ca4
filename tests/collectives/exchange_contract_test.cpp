// The contract of all-reduce algorithms, written once: every row of the algorithm table with every row of the codec
// table, through the communicator, against the serial definition.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <mutex>
#include <string_view>

#include "collectives/algorithm.hpp"
#include "collectives/transports/counting.hpp"
#include "compress/registry.hpp"
#include "tests/support/exchange_cost.hpp"
#include "tests/support/ranks.hpp"
#include "tests/support/serial_exchange.hpp"

namespace tw::test {
namespace {

struct Pair {
  std::string algorithm;
  std::string codec;
};
void PrintTo(const Pair& pair, std::ostream* out) { *out << pair.algorithm << " x " << pair.codec; }

// Every codec as it is by default, with feedback where it may have it, and settings with other granules and shards.
std::vector<std::string> codecs_under_contract() {
  std::vector<std::string> specs{"identity", "int8", "int8:block=32+ef", "topk:count=7+ef", "randomk:ratio=0.3"};
  const Param param{"sample", 0, 1000, 1000, DType::f32};
  for (const CodecRow& row : codec_table()) {
    const std::string name(row.name);
    specs.push_back(Compressor(name).codec().traits(param).contractive ? name + "+ef" : name);
  }
  return specs;
}

// NCCL adds linear payloads as it likes: nccl_exchange_test.cpp has what holds then.
const bool kSumsInItsOwnOrder = std::string_view(kDefaults.transport).starts_with("nccl");
const Route kRoute = kSumsInItsOwnOrder ? Route::stream_ordered : Route::host_driven;
// Kernels make and check them there: interpreted, that takes minutes. {nccl,ucx}_exchange_test.cpp have them.
const bool kChecksumsOnDevices = kSumsInItsOwnOrder || std::string_view(kDefaults.transport).starts_with("ucx");

std::vector<Pair> pairs_under_contract() {
  std::vector<Pair> pairs;
  for (const Algorithm* algorithm : algorithm_table()) {
    if (kSumsInItsOwnOrder && algorithm->name() == "ring") continue;
    for (const std::string& codec : codecs_under_contract()) pairs.push_back({std::string(algorithm->name()), codec});
  }
  return pairs;
}

std::vector<std::uint32_t> rank_counts() {
  const bool slow = kSanitized || kChecksumsOnDevices;
  return slow ? std::vector<std::uint32_t>{1, 3, 4} : std::vector<std::uint32_t>{1, 2, 3, 4, 7, 8};
}

class ExchangeContract : public ::testing::TestWithParam<Pair> {
 protected:
  const Algorithm& algorithm() const { return find_algorithm(GetParam().algorithm); }

  /// The parameters that the algorithm can carry with this codec.
  std::vector<Param> params() const {
    const Compressor compressor(GetParam().codec);
    std::vector<Param> legal;
    for (Param param : awkward_params(kSanitized ? 3000 : 1u << 20)) {
      if (!algorithm().refusal(compressor.codec().traits(param)).empty()) continue;
      param.id = static_cast<std::uint32_t>(legal.size());
      legal.push_back(param);
    }
    return legal;
  }
  GroupSpec group(std::uint32_t ranks) const {
    GroupSpec spec{.ranks = ranks, .params = params()};
    spec.options.codec = GetParam().codec;
    spec.options.algorithm = GetParam().algorithm;
    spec.options.seed = 42;
    spec.options.chunk_bytes = 2048;
    spec.options.checksum = !kChecksumsOnDevices;
    return spec;
  }
  /// Whether this pair is refused altogether; then that is all there is to test.
  bool refused() const { return params().empty(); }
};

std::vector<Tensors> gradients_of_all(const GroupSpec& spec, Values values, std::uint64_t step) {
  std::vector<Tensors> all;
  for (std::uint32_t rank = 0; rank < spec.ranks; ++rank) all.push_back(gradients_of(spec.params, values, step, rank));
  return all;
}

void expect_equal(const Tensors& got, const Tensors& expected, const Member& member, std::uint64_t step) {
  for (const Param& param : member.params())
    EXPECT_EQ(got[param.id], expected[param.id])
        << "parameter '" << param.name << "' at rank " << member.rank() << " in step " << step;
}

TEST_P(ExchangeContract, RefusesWhatItCannotCarryWithTheReason) {
  const Compressor compressor(GetParam().codec);
  for (const Param& param : awkward_params()) {
    const std::string reason = algorithm().refusal(compressor.codec().traits(param));
    if (reason.empty() || param.count() == 0) continue;
    GroupSpec spec = group(2);
    spec.params = {param};
    spec.params[0].id = 0;
    auto transports = connect_threads(2, {.transport = "loopback"});
    on_ranks(2, [&](std::uint32_t rank) {
      const auto message = message_of<UsageError>([&] { Member(spec, std::move(transports[rank])); });
      EXPECT_NE(message.find(reason), std::string::npos) << message;
      EXPECT_NE(message.find(param.name), std::string::npos) << message;
    });
  }
}

TEST_P(ExchangeContract, EndsBitEqualAndAsTheDefinitionSays) {
  if (refused()) return;
  for (const std::uint32_t ranks : rank_counts()) {
    const GroupSpec spec = group(ranks);
    SerialExchange definition(GetParam().algorithm, spec);
    std::vector<Tensors> means;
    for (std::uint64_t step = 0; step < 3; ++step)
      means.push_back(definition.step(step, gradients_of_all(spec, Values::gaussian, step)));
    with_group(spec, [&](Member& member) {
      for (std::uint64_t step = 0; step < 3; ++step) {
        Tensors tensors = gradients_of(spec.params, Values::gaussian, step, member.rank());
        EXPECT_TRUE(member.step(step, tensors).committed);
        expect_equal(tensors, means[step], member, step);
      }
      EXPECT_EQ(slots_in(member.saved_state()), definition.slots_of(member.rank()));
    });
  }
}

TEST_P(ExchangeContract, IsExactWhereSumsAre) {
  if (refused()) return;
  const Compressor compressor(GetParam().codec);
  const GroupSpec spec = group(4);  // a quarter of a small integer is exact in every dtype
  const auto all = gradients_of_all(spec, Values::integers, 1);
  with_group(spec, [&](Member& member) {
    Tensors tensors = all[member.rank()];
    member.step(1, tensors);
    for (const Param& param : spec.params) {
      if (!compressor.codec().traits(param).lossless) continue;
      for (std::uint64_t i = 0; i < param.count(); ++i) {
        float sum = 0;
        for (const Tensors& gradients : all) sum += gradients[param.id].get(i);
        ASSERT_EQ(tensors[param.id].get(i), sum / 4) << param.name << "[" << i << "]";
      }
    }
  });
}

TEST_P(ExchangeContract, SendsWhatTheFormulaSays) {
  if (refused()) return;
  const Compressor compressor(GetParam().codec);
  for (const std::uint32_t ranks : rank_counts()) {
    GroupSpec spec = group(ranks);
    spec.transport =
        "counting:inner=(" + std::string(kRoute == Route::host_driven ? "loopback" : kDefaults.transport) + ")";
    spec.staged_transport = {};
    const bool exact = kRoute == Route::stream_ordered ||
                       std::all_of(spec.params.begin(), spec.params.end(),
                                   [&](const Param& param) { return compressor.codec().traits(param).fixed_size; });
    auto transports = connect_group(spec);
    on_ranks(ranks, [&](std::uint32_t rank) {
      const auto counts = counts_of(*transports[rank]);
      Member member(spec, std::move(transports[rank]));
      const Traffic before = counts->sent();
      Tensors tensors = gradients_of(spec.params, Values::gaussian, 1, rank);
      member.step(1, tensors);
      const Traffic after = counts->sent();
      const Cost cost = cost_by_formula(spec, rank, kRoute);
      const std::uint64_t votes = ranks - 1;  // of 16 + 16 bytes
      EXPECT_EQ(after.messages - before.messages, cost.messages + votes) << rank << " of " << ranks;
      if (exact)
        EXPECT_EQ(after.bytes - before.bytes, cost.sent_bytes + 32 * votes) << rank << " of " << ranks;
      else
        EXPECT_LE(after.bytes - before.bytes, cost.sent_bytes + 32 * votes) << rank << " of " << ranks;
      const Stats stats = member.communicator().stats();
      EXPECT_EQ(stats.sent_bytes, after.bytes);
      EXPECT_EQ(stats.sent_messages, after.messages);
      member.communicator().barrier(soon());
    });
  }
}

TEST_P(ExchangeContract, SkipsAStepWithANonFiniteGradientOnAllRanksAlike) {
  if (refused()) return;
  const GroupSpec spec = group(3);
  SerialExchange definition(GetParam().algorithm, spec);
  definition.step(0, gradients_of_all(spec, Values::gaussian, 0));
  const Tensors last = definition.step(2, gradients_of_all(spec, Values::gaussian, 2));  // as if 1 had never been
  with_group(spec, [&](Member& member) {
    Tensors tensors = gradients_of(spec.params, Values::gaussian, 0, member.rank());
    member.step(0, tensors);
    const auto before = member.saved_state();
    for (const float bad : {std::nanf(""), INFINITY, -INFINITY})
      for (const Param& param : spec.params) {
        if (param.count() == 0) continue;
        Tensors poisoned = gradients_of(spec.params, Values::gaussian, 1, member.rank());
        if (member.rank() == 1) poisoned[param.id].set(param.count() / 2, bad);
        const StepOutcome outcome = member.step(1, poisoned);
        EXPECT_FALSE(outcome.committed) << param.name << " with " << bad;
        EXPECT_EQ(outcome.rank, 1u);
        EXPECT_NE(outcome.reason.find("rank 1"), std::string::npos) << outcome.reason;
      }
    EXPECT_EQ(member.saved_state(), before);
    EXPECT_EQ(member.communicator().stats().skipped_steps, member.communicator().stats().steps - 1);
    tensors = gradients_of(spec.params, Values::gaussian, 2, member.rank());
    EXPECT_TRUE(member.step(2, tensors).committed);
    expect_equal(tensors, last, member, 2);
  });
}

TEST_P(ExchangeContract, CountsAbsentGradientsAsZeros) {
  if (refused()) return;
  const GroupSpec spec = group(3);
  auto all = gradients_of_all(spec, Values::gaussian, 1);
  std::uint64_t absent = 0;
  for (std::uint32_t rank = 0; rank < 3; ++rank)
    for (const Param& param : spec.params) {
      all[rank][param.id].absent = (param.id + rank) % 2 == 0 && rank != 2;
      absent += all[rank][param.id].absent && param.count() != 0;
    }
  const Tensors mean = SerialExchange(GetParam().algorithm, spec).step(1, all);
  with_group(spec, [&](Member& member) {
    Tensors tensors = all[member.rank()];
    const StepOutcome outcome = member.step(1, tensors);
    EXPECT_TRUE(outcome.committed);
    EXPECT_EQ(outcome.absent, absent);
    EXPECT_EQ(member.communicator().stats().absent_pieces, absent);
    for (const Param& param : spec.params) {
      if (tensors[param.id].absent) continue;
      EXPECT_EQ(tensors[param.id], mean[param.id]) << param.name;
    }
  });
}

TEST_P(ExchangeContract, DoesNotDependOnBucketsAndChunks) {
  if (refused()) return;
  std::vector<std::vector<Tensors>> means(3);
  std::vector<std::vector<std::byte>> states(3);
  for (const auto& [bucket_bytes, chunk_bytes] : {std::pair{1u, 1024u}, {20'000u, 4096u}, {1u << 24, 1u << 20}}) {
    GroupSpec spec = group(3);
    spec.bucket_bytes = bucket_bytes;
    spec.options.chunk_bytes = chunk_bytes;
    const bool first = bucket_bytes == 1;
    with_group(spec, [&](Member& member) {
      for (std::uint64_t step = 0; step < 3; ++step) {
        Tensors tensors = gradients_of(spec.params, Values::gaussian, step, member.rank());
        member.step(step, tensors);
        if (first)
          means[member.rank()].push_back(std::move(tensors));
        else
          expect_equal(tensors, means[member.rank()][step], member, step);
      }
      if (first)
        states[member.rank()] = member.saved_state();
      else
        EXPECT_EQ(member.saved_state(), states[member.rank()]);
    });
  }
}

// Nothing is lost: what was delivered and what memories of both hops still hold add up to what was put in.
TEST_P(ExchangeContract, FeedbackTelescopesOverBothHops) {
  if (refused() || Compressor(GetParam().codec).memory() == nullptr) return;
  constexpr std::uint32_t kRanks = 3;
  constexpr std::uint64_t kSteps = 20;
  GroupSpec spec = group(kRanks);
  std::erase_if(spec.params, [](const Param& param) { return param.dtype != DType::f32; });  // casts lose besides
  for (std::uint32_t id = 0; id < spec.params.size(); ++id) spec.params[id].id = id;
  std::vector<std::vector<double>> input, left(spec.params.size());
  for (const Param& param : spec.params) input.emplace_back(param.count()), left[param.id].resize(param.count());
  for (std::uint64_t step = 0; step < kSteps; ++step)
    for (const Tensors& gradients : gradients_of_all(spec, Values::gaussian, step))
      for (const Param& param : spec.params)
        for (std::uint64_t i = 0; i < param.count(); ++i) input[param.id][i] += gradients[param.id].get(i) / kRanks;
  std::vector<std::vector<double>> delivered = left;
  std::mutex mutex;
  with_group(spec, [&](Member& member) {
    for (std::uint64_t step = 0; step < kSteps; ++step) {
      Tensors tensors = gradients_of(spec.params, Values::gaussian, step, member.rank());
      member.step(step, tensors);
      for (const Param& param : spec.params)
        for (std::uint64_t i = 0; i < param.count() && member.rank() == 0; ++i)
          delivered[param.id][i] += tensors[param.id].get(i);
    }
    const std::lock_guard lock(mutex);
    for (const SavedSlot& slot : slots_in(member.saved_state()))
      for (std::uint64_t i = 0; i < slot.values.size(); ++i)
        left[slot.param][slot.first + i] += slot.values[i] / (slot.hop == Hop::worker ? kRanks : 1.0);
  });
  for (const Param& param : spec.params)
    for (std::uint64_t i = 0; i < param.count(); ++i)
      ASSERT_NEAR(delivered[param.id][i] + left[param.id][i], input[param.id][i], 1e-3)
          << param.name << "[" << i << "]";
}

TEST_P(ExchangeContract, GoesOnFromASavedState) {
  if (refused()) return;
  const GroupSpec spec = group(3);
  std::vector<std::vector<std::byte>> saved(3), ends(3);
  std::vector<Tensors> lasts(3);
  with_group(spec, [&](Member& member) {
    for (std::uint64_t step = 0; step < 4; ++step) {
      lasts[member.rank()] = gradients_of(spec.params, Values::gaussian, step, member.rank());
      member.step(step, lasts[member.rank()]);
      if (step == 1) saved[member.rank()] = member.saved_state();
    }
    ends[member.rank()] = member.saved_state();
  });
  with_group(spec, [&](Member& member) {
    const std::uint32_t rank = member.rank();
    std::size_t at = 0;
    member.communicator().load_state([&](std::span<std::byte> out) {
      if (out.size() > saved[rank].size() - at) throw UsageError("no more bytes");
      std::copy_n(saved[rank].begin() + static_cast<std::ptrdiff_t>(at), out.size(), out.begin());
      at += out.size();
    });
    EXPECT_EQ(at, saved[rank].size());
    Tensors tensors;
    for (std::uint64_t step = 2; step < 4; ++step) {
      tensors = gradients_of(spec.params, Values::gaussian, step, rank);
      member.step(step, tensors);
    }
    expect_equal(tensors, lasts[rank], member, 3);
    EXPECT_EQ(member.saved_state(), ends[rank]);
  });
}

std::string name_of_pair(const ::testing::TestParamInfo<Pair>& info) {
  std::string name = info.param.algorithm + "_" + info.param.codec;
  for (char& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  return name + "_" + std::to_string(info.index);
}

INSTANTIATE_TEST_SUITE_P(All, ExchangeContract, ::testing::ValuesIn(pairs_under_contract()), name_of_pair);

}  // namespace
}  // namespace tw::test
