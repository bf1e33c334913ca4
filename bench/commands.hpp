// What each subcommand's sources offer to the table in commands.cpp.
#pragma once

#include <memory>

#include "bench/command.hpp"

namespace tw {

std::unique_ptr<Command> make_bench_all_reduce_command();
std::unique_ptr<Command> make_bench_codecs_command();
std::unique_ptr<Command> make_info_command();
std::unique_ptr<Command> make_launch_command();
std::unique_ptr<Command> make_report_command();

}  // namespace tw
