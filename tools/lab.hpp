// The lab of scripts/lab, as the tools use it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tw {

/// A lab of `ranks` hosts whose links are held to `rate`. It is made for this process alone and removed with its owner;
/// where the environment's TW_LAB names a lab that is up, that one is used, and left up.
class Lab {
 public:
  /// Throws UsageError for a rate that the script does not know, SystemError where this machine cannot have a lab.
  Lab(std::uint32_t ranks, const std::string& rate);
  ~Lab();
  Lab(const Lab&) = delete;

  /// What goes before a command to run it on the host of `rank`.
  std::vector<std::string> on_host(std::uint32_t rank) const;
  /// Host 0.
  std::string master_address() const { return master_address_; }
  std::string rate() const { return rate_; }
  std::string burst() const { return burst_; }
  /// Value of TW_LAB by which the script finds it.
  const std::string& name() const { return name_; }

 private:
  std::string script(std::vector<std::string> words) const;

  std::string rate_, name_, burst_, master_address_;
  bool ours_ = false;
};

}  // namespace tw
