// The reporter that programs use, and the frame of each program's main().
#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "hanok/apps/cli/reporter.h"

#pragma GCC visibility push(default)
namespace hanok::training {

/// Columns for text on standard output: the environment's COLUMNS, or the terminal's width, or 80
/// where there is none; at least 40, at most 120.
std::size_t terminal_columns();

/// Values of environment variables; empty where they are not set.
struct TerminalVariables {
  std::string no_color{}, term{}, colorterm{};
};
/// The colours of a terminal: none with NO_COLOR (no-color.org) or TERM=dumb, all where COLORTERM
/// is truecolor or 24bit, else what the name in TERM says.
TextColors colors_of_terminal(const TerminalVariables& variables);

/// Prints to standard output. Progress is a bar where that is a terminal, now and then a plain line
/// elsewhere. What cannot be written (a full disk, a closed output) is an IoError.
class TerminalReporter final : public Reporter {
 public:
  TerminalReporter();
  void print(const std::string& text) override;
  TextColors colors() const override;
  void show_progress(const ProgressState& state) override;
  void clear_progress() override;
  double progress_interval() const override;

 private:
  bool is_terminal_;
  bool bar_drawn_ = false;
};

/// Writes a line to standard error; where that fails, the exit code remains.
void print_error(const std::string& line);

/// Runs a program: returns what `body` returns; if it throws, prints the error to stderr as one
/// message ("finetune: --lr: must be above 0, got 0") and returns its exit code (errors.h). Where
/// the reader of a pipe has gone ("| head"), the system ends the program without a word.
int run_program(const std::string& name, const std::function<int(Reporter&)>& body);

}  // namespace hanok::training
#pragma GCC visibility pop
