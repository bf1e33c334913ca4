#include "trainer/parameters_hash.hpp"

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "kernels/base/check.hpp"
#include "kernels/base/hash.hpp"
#include "trainer/placed_floats.hpp"

namespace tw::trainer {

std::uint64_t parameters_hash(Model& model) {
  std::vector<std::uint64_t> hashes;
  std::vector<float> staging;
  for (const Param& param : model.params())
    hashes.push_back(hash64(std::as_bytes(on_host(model.exec(), model.values(param.id), staging))));
  return hash64(std::as_bytes(std::span(hashes)));
}

std::string hash_text(std::uint64_t hash) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(hash));
  return text;
}

std::vector<std::uint32_t> disagreeing_ranks(std::span<const std::uint64_t> hashes) {
  std::vector<std::uint32_t> ranks;
  const auto is_common = [&](std::uint64_t hash) {
    return 2 * std::count(hashes.begin(), hashes.end(), hash) > static_cast<std::ptrdiff_t>(hashes.size());
  };
  for (std::uint32_t rank = 0; rank < hashes.size(); ++rank)
    if (!is_common(hashes[rank])) ranks.push_back(rank);
  return ranks;
}

void compare_hashes(Communicator& communicator, std::uint64_t hash, const std::string& when, Deadline deadline) {
  const std::vector<std::byte> gathered = communicator.all_gather(std::as_bytes(std::span(&hash, 1)), deadline);
  std::vector<std::uint64_t> hashes(gathered.size() / sizeof hash);
  std::memcpy(hashes.data(), gathered.data(), gathered.size());
  const std::vector<std::uint32_t> culprits = disagreeing_ranks(hashes);
  if (culprits.empty()) return;
  std::string names, all;
  for (const std::uint32_t rank : culprits) names.append(names.empty() ? "" : ", ").append(std::to_string(rank));
  for (const std::uint64_t each : hashes) all.append(all.empty() ? "" : ", ").append(hash_text(each));
  throw PeerError(culprits.front(), detail::concat("the parameters of rank", culprits.size() > 1 ? "s " : " ", names,
                                                   " differ ", when, "; hashes by rank: ", all));
}

}  // namespace tw::trainer
