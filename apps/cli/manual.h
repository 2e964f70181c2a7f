// Manual page, shell completion and version of a program, made from the same options as its --help.
#pragma once

#include <string>

#include "hanok/apps/cli/reporter.h"

namespace CLI {
class App;
}

#pragma GCC visibility push(default)
namespace hanok::training {

/// Adds --version, --man and --completion bash to `app`: they print and end the program with
/// success. `app` keeps the reporter.
void add_manual_options(CLI::App& app, Reporter& reporter);

/// What main() is given.
struct Arguments {
  int count = 0;
  const char* const* values = nullptr;
};

/// Parses a command line. False if the program is done, because --help or the like has printed its
/// text, in lines as wide as the terminal; throws UsageError that points to --help.
bool parse_arguments(CLI::App& app, Arguments arguments, Reporter& reporter);

/// The manual page in troff's man macros: `man -l FILE` shows it.
std::string man_page(const CLI::App& app);
/// A script for bash: options, their choices, files and folders.
std::string bash_completion(const CLI::App& app);

}  // namespace hanok::training
#pragma GCC visibility pop
