#include "tools/build.hpp"

#include "tw_revision.hpp"  // written by cmake/revision.cmake at each build

namespace tw {

const Build& build() {
  static const Build build{TW_BUILD_VERSION, TW_BUILD_REVISION, TW_BUILD_TYPE, TW_BUILD_COMPILER, TW_BUILD_SANITIZE};
  return build;
}

}  // namespace tw
