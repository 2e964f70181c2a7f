#include "hanok/apps/cli/progress.h"

#include <algorithm>
#include <ctime>
#include <fmt/format.h>
#include <fstream>
#include <sstream>
#include <unistd.h>
#include <utility>

namespace hanok::training {
double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double seconds_since_process_start() {
  // proc(5): after the name in parentheses, which may hold anything, field 22 is the start in clock
  // ticks since the machine's.
  std::ifstream file("/proc/self/stat");
  std::string stat;
  std::getline(file, stat);
  std::istringstream fields(stat.substr(stat.rfind(')') + 1));
  std::string field;
  for (int i = 3; i <= 22; ++i) fields >> field;
  const double start = std::stod(field) / static_cast<double>(sysconf(_SC_CLK_TCK));
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9 - start;
}

std::string duration_text(double seconds) {
  const auto total = static_cast<std::int64_t>(std::max(0.0, seconds) + 0.5);
  if (total < 60) return fmt::format("{} s", total);
  if (total < 3600) return fmt::format("{} min {:02} s", total / 60, total % 60);
  return fmt::format("{} h {:02} min", total / 3600, total % 3600 / 60);
}

Progress::Progress(Reporter& reporter, Loop loop)
    : reporter_(reporter), loop_(std::move(loop)), start_(Clock::now()), last_(start_) {}

Progress::~Progress() { reporter_.clear_progress(); }

void Progress::advance(std::int64_t units, std::int64_t units_after) {
  done_ += units;
  if (seconds_since(last_) < reporter_.progress_interval()) return;
  last_ = Clock::now();
  const double rate = static_cast<double>(done_) / std::max(1e-9, seconds_since(start_));
  const auto left = static_cast<double>(loop_.total - done_ + units_after);
  reporter_.show_progress({.label = loop_.label,
                           .unit = loop_.unit,
                           .done = done_,
                           .total = loop_.total,
                           .per_second = rate,
                           .seconds_left = left / std::max(1e-9, rate)});
}

}  // namespace hanok::training
