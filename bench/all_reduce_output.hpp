// How `bench all_reduce` shows its rows: nccl-tests' columns first, then the wire's; and as JSON.
#pragma once

#include <string>
#include <vector>

#include "bench/all_reduce.hpp"
#include "tools/context.hpp"

namespace tw {

/// A measured case with what it was measured under.
struct AllReduceRow {
  std::uint64_t count = 0;
  std::uint32_t ranks = 0;
  std::string algorithm, transport, codec;
  bool lossless = false;
  AllReduceResult result;

  double bytes() const { return 4.0 * static_cast<double>(count); }
  /// 1e9 bytes a second, as nccl-tests counts: algbw = bytes / time, busbw = algbw * 2 (n - 1) / n.
  double algbw() const { return bytes() / result.seconds / 1e9; }
  double busbw() const { return algbw() * bus_factor(); }
  double wire_bw() const { return static_cast<double>(result.wire_bytes) / result.seconds / 1e9; }
  /// What an uncompressed ring all-reduce sends, over what was sent; 0 where nothing was.
  double ratio() const;

 private:
  double bus_factor() const { return 2.0 * (ranks - 1) / ranks; }
};

/// `device`: what the tensors lie on, where that is none of the host.
std::string all_reduce_heading(const nlohmann::ordered_json& context, const std::string& device);
std::string all_reduce_line(const AllReduceRow& row);
/// nccl-tests' footer.
std::string all_reduce_footer(const std::vector<AllReduceRow>& rows);
nlohmann::ordered_json all_reduce_json(const std::vector<AllReduceRow>& rows, const nlohmann::ordered_json& context);

}  // namespace tw
