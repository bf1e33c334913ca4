// What this program was built from.
#pragma once

#include <string>

namespace tw {

struct Build {
  std::string version;   ///< of the library
  std::string revision;  ///< git's name of the commit, with "-dirty" where the tree had changes; "unknown" without git
  std::string type;      ///< CMake's build type
  std::string compiler;
  std::string sanitizers;  ///< empty in normal builds
};

const Build& build();

}  // namespace tw
