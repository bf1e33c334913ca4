#include "bench/command.hpp"

int main(int argc, char** argv) { return tw::run_command_line(argc, argv, tw::command_table()); }
