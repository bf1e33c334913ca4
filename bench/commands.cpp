#include "bench/commands.hpp"

namespace tw {

std::span<const CommandRow> command_table() {
  static constexpr CommandRow table[] = {
      {"info", "what this build can do: transports, algorithms, codecs", make_info_command},
      {"bench all_reduce", "time, bandwidth, bytes and error of all-reduces", make_bench_all_reduce_command},
      {"bench codecs", "size, error and speed of codecs on this machine, beside memcpy", make_bench_codecs_command},
      {"launch", "start one local process a rank: tightwire launch -n N -- CMD", make_launch_command},
      {"report", "results as tables, plots and a sentence: text, Markdown, HTML", make_report_command},
  };
  return table;
}

}  // namespace tw
