// Which ranks a comparison of hashes names, and that it happens.
#include "trainer/parameters_hash.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/trainer/support.hpp"

namespace tw::trainer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::uint32_t> named(const std::vector<std::uint64_t>& hashes) { return disagreeing_ranks(hashes); }

TEST(ParametersHash, NamesTheRanksOutsideTheMajority) {
  EXPECT_THAT(named({7}), IsEmpty());
  EXPECT_THAT(named({7, 7, 7, 7}), IsEmpty());
  EXPECT_THAT(named({7, 7, 8, 7}), ElementsAre(2));
  EXPECT_THAT(named({9, 7, 7, 7, 8}), ElementsAre(0, 4));
}

TEST(ParametersHash, NamesAllWhereNobodyHasAMajority) {
  EXPECT_THAT(named({7, 8}), ElementsAre(0, 1));
  EXPECT_THAT(named({7, 7, 8, 8}), ElementsAre(0, 1, 2, 3));
}

TEST(ParametersHash, ChangesWithEveryParameter) {
  const Dataset dataset = small_dataset();
  const auto model = small_model(dataset, 1), same = small_model(dataset, 1), other = small_model(dataset, 2);
  EXPECT_EQ(parameters_hash(*model), parameters_hash(*same));
  EXPECT_NE(parameters_hash(*model), parameters_hash(*other));
  for (const Param& param : model->params()) {
    const std::uint64_t before = parameters_hash(*model);
    model->values(param.id).back() += 1;
    EXPECT_NE(parameters_hash(*model), before);
  }
}

TEST(ParametersHash, StopsRanksThatBeginWithOtherParameters) {
  const Dataset dataset = small_dataset();
  const auto words = train_failing(quick_options(), dataset, 3,
                                   [&](std::uint32_t rank) { return small_model(dataset, rank == 1 ? 5 : 0); });
  for (const std::string& each : words) EXPECT_THAT(each, HasSubstr("parameters of rank 1 differ at the start"));
}

// Changes one value on one rank, as a fault in memory would.
class Straying final : public ForwardingModel {
 public:
  Straying(std::unique_ptr<Model> inner, bool strays) : ForwardingModel(std::move(inner)), strays_(strays) {}
  void forget_gradients() override {
    ForwardingModel::forget_gradients();
    if (strays_ && ++steps_ == 3) values(0)[5] += 1e-3f;
  }

 private:
  const bool strays_;
  int steps_ = 0;
};

TEST(ParametersHash, FindsTheRankThatStrays) {
  const Dataset dataset = small_dataset();
  TrainOptions options = quick_options();
  options.hash_every = 2;
  for (const std::uint32_t ranks : {2u, 4u}) {
    const auto words = train_failing(options, dataset, ranks, [&](std::uint32_t rank) {
      return std::make_unique<Straying>(small_model(dataset, 0), rank == 1);
    });
    const char* expected = ranks == 2 ? "ranks 0, 1 differ after step 4" : "rank 1 differ after step 4";
    for (const std::string& each : words) EXPECT_THAT(each, HasSubstr(expected));
  }
}

}  // namespace
}  // namespace tw::trainer
