// Manual page and shell completion of a program, made from the same options as its --help.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace hanok::training {

/// Adds --man and --completion bash to `app`: they print and end the program with success.
void add_manual_options(CLI::App& app);

/// Parses a command line. False if the program is done, --help or the like having printed what was
/// asked for; throws UsageError that points to --help.
bool parse_arguments(CLI::App& app, int argc, const char* const* argv);

/// The manual page in troff's man macros: `man -l FILE` shows it.
std::string man_page(const CLI::App& app);
/// A script for bash: options, their choices, files and folders.
std::string bash_completion(const CLI::App& app);

}  // namespace hanok::training
