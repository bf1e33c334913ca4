#include "bench/commands.hpp"

namespace tw {

std::span<const CommandRow> command_table() {
  static constexpr CommandRow table[] = {
      {"info", "what this build can do: transports, algorithms, codecs", make_info_command},
  };
  return table;
}

}  // namespace tw
