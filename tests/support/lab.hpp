// Hosts for tests: network namespaces of this machine, made by scripts/lab under a name of the test process's own.
// Needs root.
#pragma once

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <string>

namespace tw::test {

class Lab {
 public:
  /// Hosts 10.77.0.1, 10.77.0.2, ... on their interfaces e0, without a limit of rate.
  explicit Lab(std::uint32_t hosts) : why_not_(up(hosts)) {}
  ~Lab() {
    if (why_not_.empty()) script("down");
  }
  Lab(const Lab&) = delete;
  Lab& operator=(const Lab&) = delete;

  /// Empty where there are hosts; otherwise why there can be none here.
  const std::string& why_not() const { return why_not_; }

  /// Moves the calling process to a host, with a view of its devices in /sys.
  void move_to_host(std::uint32_t rank) const {
    const std::string path = "/run/netns/" + host(rank);
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, CLONE_NEWNET) != 0 || unshare(CLONE_NEWNS) != 0 ||
        mount("", "/", nullptr, MS_SLAVE | MS_REC, nullptr) != 0 || mount("sysfs", "/sys", "sysfs", 0, nullptr) != 0)
      throw std::runtime_error("cannot move to " + path);
    close(fd);
  }
  /// Nothing passes the host's link any more.
  void cut_link(std::uint32_t rank) const {
    if (std::system(("ip -n " + name_ + "-sw link set s" + std::to_string(rank) + " down").c_str()) != 0)
      throw std::runtime_error("cannot cut the link of " + host(rank));
  }

 private:
  std::string host(std::uint32_t rank) const { return name_ + "-" + std::to_string(rank); }
  int script(const std::string& arguments) const {
    const int status = std::system(("TW_LAB=" + name_ + " " TW_TEST_LAB " " + arguments).c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
  }
  std::string up(std::uint32_t hosts) const {
    if (geteuid() != 0) return "namespaces need root";
    const int status = script("up " + std::to_string(hosts) + " none");
    if (status == 3) return "this machine does not allow network namespaces";
    if (status != 0) throw std::runtime_error("scripts/lab up failed");
    return "";
  }

  const std::string name_ = "twlabt" + std::to_string(getpid());
  const std::string why_not_;
};

}  // namespace tw::test
