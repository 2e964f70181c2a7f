#include "hanok/apps/cli/terminal.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <system_error>
#include <unistd.h>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/cli/progress.h"
#include "hanok/apps/cli/signals.h"
#include "hanok/kernels/base/error.h"

namespace hanok::training {
namespace {

constexpr double kBarSeconds = 0.1;
constexpr double kLineSeconds = 30.0;
constexpr int kBarWidth = 24;

bool try_write(const std::string& text) {
  return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() &&
         std::fflush(stdout) == 0;
}

void write(const std::string& text) {
  if (try_write(text)) return;
  throw IoError(fmt::format("standard output: {}", std::generic_category().message(errno)));
}

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

/// Opens what the caller closed (`>&-`), in the wrong direction: a file that the program opens does
/// not become its standard output, and printing fails as it should.
void occupy_standard_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(stream, F_GETFD) != -1) continue;
    static_cast<void>(open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY));
  }
}

}  // namespace

std::size_t terminal_columns() {
  constexpr std::size_t kFewest = 40, kMost = 120, kElsewhere = 80;
  std::size_t columns = 0;
  if (const char* text = std::getenv("COLUMNS"); text != nullptr) {
    const char* end = text + std::strlen(text);
    const auto [stop, error] = std::from_chars(text, end, columns);
    if (error != std::errc() || stop != end) columns = 0;
  }
  winsize size{};
  if (columns == 0 && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) columns = size.ws_col;
  if (columns == 0) columns = kElsewhere;
  return std::clamp(columns, kFewest, kMost);
}

TextColors colors_of_terminal(const TerminalVariables& variables) {
  const std::string& term = variables.term;
  if (!variables.no_color.empty() || term.empty() || term == "dumb") return TextColors::None;
  if (variables.colorterm == "truecolor" || variables.colorterm == "24bit" ||
      term.ends_with("-direct")) {
    return TextColors::All;
  }
  const bool palette = term.find("256color") != std::string::npos;
  return palette ? TextColors::Palette256 : TextColors::None;
}

TerminalReporter::TerminalReporter() : is_terminal_(isatty(STDOUT_FILENO) != 0) {}

void TerminalReporter::print(const std::string& text) {
  clear_progress();
  write(text);
}

TextColors TerminalReporter::colors() const {
  if (!is_terminal_) return TextColors::None;
  return colors_of_terminal({.no_color = variable("NO_COLOR"),
                             .term = variable("TERM"),
                             .colorterm = variable("COLORTERM")});
}

void TerminalReporter::show_progress(const ProgressState& state) {
  const std::string left = duration_text(state.seconds_left);
  if (!is_terminal_) {
    write(fmt::format("{0}: {1}/{2} {3}, {4:.0f} {3}/s, {5} left\n", state.label, state.done,
                      state.total, state.unit, state.per_second, left));
    return;
  }
  const int filled =
      state.total > 0 ? static_cast<int>(kBarWidth * state.done / state.total) : kBarWidth;
  write(fmt::format("\r{} [{:#<{}}{:.<{}}] {}/{} {:.0f} {}/s, {} left\x1b[K", state.label, "",
                    filled, "", kBarWidth - filled, state.done, state.total, state.per_second,
                    state.unit, left));
  bar_drawn_ = true;
}

void TerminalReporter::clear_progress() {
  // Destructors call this; the next print() reports a lost terminal.
  if (bar_drawn_) static_cast<void>(try_write("\r\x1b[K"));
  bar_drawn_ = false;
}

double TerminalReporter::progress_interval() const {
  return is_terminal_ ? kBarSeconds : kLineSeconds;
}

void print_error(const std::string& line) {
  std::fwrite(line.data(), 1, line.size(), stderr);
  std::fflush(stderr);
}

int run_program(const std::string& name, const std::function<int(Reporter&)>& body) {
  occupy_standard_streams();
  watch_for_lost_files(name.c_str());
  try {
    TerminalReporter reporter;
    return body(reporter);
  } catch (...) {
    const Failure failure = current_failure();
    print_error(fmt::format("{}: {}\n", name, failure.message));
    return failure.exit_code;
  }
}

}  // namespace hanok::training
