#include "hanok/apps/cli/progress.h"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <fmt/format.h>
#include <fstream>
#include <sstream>
#include <unistd.h>

namespace hanok::training {
namespace {

constexpr double kBarSeconds = 0.1;    // between two pictures of the bar
constexpr double kLineSeconds = 30.0;  // between two plain lines
constexpr int kBarWidth = 24;

}  // namespace

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

Progress::Progress(std::string label, std::int64_t total)
    : label_(std::move(label)),
      total_(total),
      terminal_(isatty(STDOUT_FILENO) != 0),
      start_(Clock::now()),
      last_(start_) {}

Progress::~Progress() {
  if (drawn_) {
    std::fputs("\r\x1b[K", stdout);
    std::fflush(stdout);
  }
}

double Progress::images_per_second() const {
  return static_cast<double>(done_) / std::max(1e-9, seconds_since(start_));
}

void Progress::advance(std::int64_t images, std::int64_t images_after) {
  done_ += images;
  if (seconds_since(last_) < (terminal_ ? kBarSeconds : kLineSeconds)) return;
  last_ = Clock::now();
  const double rate = images_per_second();
  const std::string left =
      duration_text(static_cast<double>(total_ - done_ + images_after) / std::max(1e-9, rate));
  if (terminal_) {
    const int filled = total_ > 0 ? static_cast<int>(kBarWidth * done_ / total_) : kBarWidth;
    fmt::print("\r{} [{:#<{}}{:.<{}}] {}/{} {:.0f} images/s, {} left\x1b[K", label_, "", filled, "",
               kBarWidth - filled, done_, total_, rate, left);
    drawn_ = true;
  } else {
    fmt::print("{}: {}/{} images, {:.0f} images/s, {} left\n", label_, done_, total_, rate, left);
  }
  std::fflush(stdout);
}

}  // namespace hanok::training
