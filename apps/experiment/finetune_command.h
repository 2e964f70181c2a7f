// finetune's command line, made from the table of options.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hanok/apps/options/options.h"

namespace hanok::training {

struct CommandLine {
  bool done = false;  // --help or --version: printed already
  Options options;    // defaults, then --demo's, then --config's, then the command line's
  std::vector<std::string> given;  // names of the options on the command line
  std::string out, resume, write_synthetic;
  std::int64_t people = 0;
  bool demo = false, print_config = false, dry_run = false, check = false, plan = false;
};

/// Throws UsageError.
CommandLine parse_command_line(int argc, const char* const* argv);

}  // namespace hanok::training
