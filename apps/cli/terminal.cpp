#include "hanok/apps/cli/terminal.h"

#include <cstdio>
#include <fmt/format.h>
#include <unistd.h>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/cli/progress.h"

namespace hanok::training {
namespace {

constexpr double kBarSeconds = 0.1;
constexpr double kLineSeconds = 30.0;
constexpr int kBarWidth = 24;

void write(const std::string& text) {
  fmt::print("{}", text);
  std::fflush(stdout);
}

}  // namespace

TerminalReporter::TerminalReporter() : is_terminal_(isatty(STDOUT_FILENO) != 0) {}

void TerminalReporter::print(const std::string& text) {
  clear_progress();
  write(text);
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
  if (bar_drawn_) write("\r\x1b[K");
  bar_drawn_ = false;
}

double TerminalReporter::progress_interval() const {
  return is_terminal_ ? kBarSeconds : kLineSeconds;
}

int run_program(const std::string& name, const std::function<int(Reporter&)>& body) {
  try {
    TerminalReporter reporter;
    return body(reporter);
  } catch (...) {
    const Failure failure = current_failure();
    std::fflush(stdout);
    fmt::print(stderr, "{}: {}\n", name, failure.message);
    return failure.exit_code;
  }
}

}  // namespace hanok::training
