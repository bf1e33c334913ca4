// Stream sockets between the processes of a machine, each with each, under a name that they share.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "collectives/net/socket.hpp"

namespace tw::process_nccl {

struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A message to or from a rank. Those between two ranks match in order, and must agree in size.
struct Part {
  std::uint32_t peer;
  std::span<std::byte> bytes;
};

class Mesh {
 public:
  Mesh(std::string name, std::uint32_t rank, std::uint32_t ranks)
      : name_(std::move(name)), rank_(rank), ranks_(ranks) {}

  std::uint32_t rank() const { return rank_; }
  std::uint32_t ranks() const { return ranks_; }

  /// Waits for all ranks. Any call throws Failure where a rank is gone, and once `abort` was called.
  void connect();
  /// Moves all parts, both ways at once.
  void exchange(std::span<const Part> sends, std::span<const Part> receives);
  /// From any thread.
  void abort() { aborted_ = true; }

 private:
  Descriptor reach(std::uint32_t peer) const;
  void check_going_on(const std::string& what) const;

  const std::string name_;
  const std::uint32_t rank_, ranks_;
  std::vector<Descriptor> links_;  // by rank; of the own one there is none
  std::atomic<bool> aborted_ = false;
};

}  // namespace tw::process_nccl
