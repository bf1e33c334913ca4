// Buckets of many chunks, each larger than what transports send unasked: windows of sends and receives open again and
// again, over transports that announce messages and over those that do not.
#include <gtest/gtest.h>

#include "collectives/algorithm.hpp"
#include "collectives/transports/ucx/ucx.hpp"
#include "tests/support/exchange.hpp"
#include "tests/support/serial_exchange.hpp"

namespace tw::test {
namespace {

struct Road {
  std::string algorithm, transport;
};
void PrintTo(const Road& road, std::ostream* out) { *out << road.algorithm << " over " << road.transport; }

std::vector<Road> roads() {
  std::vector<std::string> transports{"loopback", "tcp"};
  if (ucx_unavailable().empty()) transports.insert(transports.end(), {"ucx", "ucx:hosts=apart"});
  std::vector<Road> all;
  for (const Algorithm* algorithm : algorithm_table())
    for (const std::string& transport : transports) all.push_back({std::string(algorithm->name()), transport});
  return all;
}

class ManyChunks : public ::testing::TestWithParam<Road> {};

TEST_P(ManyChunks, ComeThrough) {
  for (const std::uint32_t ranks : {2u, 3u}) {
    GroupSpec spec{.ranks = ranks, .params = {{"weight", 0, 1024, 300, DType::f32}}};
    spec.options.algorithm = GetParam().algorithm;
    spec.options.chunk_bytes = 16 << 10;
    spec.bucket_bytes = 8 << 20;
    spec.transport = GetParam().transport;
    SerialExchange definition(spec.options.algorithm, spec);
    std::vector<Tensors> means;
    for (std::uint64_t step = 0; step < 3; ++step) {
      std::vector<Tensors> all;
      for (std::uint32_t rank = 0; rank < ranks; ++rank)
        all.push_back(gradients_of(spec.params, Values::gaussian, step, rank));
      means.push_back(definition.step(step, std::move(all)));
    }
    with_group(spec, [&](Member& member) {
      for (std::uint64_t step = 0; step < 3; ++step) {
        Tensors tensors = gradients_of(spec.params, Values::gaussian, step, member.rank());
        EXPECT_TRUE(member.step(step, tensors).committed);
        EXPECT_TRUE(tensors == means[step]) << "rank " << member.rank() << " of " << ranks << ", step " << step;
      }
    });
  }
}

INSTANTIATE_TEST_SUITE_P(All, ManyChunks, ::testing::ValuesIn(roads()), [](const auto& info) {
  std::string name = info.param.algorithm + "_" + info.param.transport;
  for (char& c : name)
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  return name;
});

}  // namespace
}  // namespace tw::test
