#include <tightwire/version.hpp>

namespace tw {

const char* version() { return kVersionText; }

}  // namespace tw
