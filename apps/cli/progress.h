// The progress of a long loop, and its clocks.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "hanok/apps/cli/reporter.h"

#pragma GCC visibility push(default)
namespace hanok::training {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start);
/// Since the operating system started this process, to its clock's 10 ms.
double seconds_since_process_start();
/// "45 s", "12 min 30 s", "3 h 05 min"
std::string duration_text(double seconds);

/// Shows a loop's progress, as often as the reporter wants, and removes it at the end of its scope.
class Progress {
 public:
  struct Loop {
    std::string label;            // printed in front: "fold 0 epoch 3/12"
    std::int64_t total = 0;       // units in this loop
    const char* unit = "images";  // "images", "MB"
  };
  Progress(Reporter& reporter, Loop loop);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `units` more are done. `units_after` come after this loop's in the whole
  /// job; the time left counts them too.
  void advance(std::int64_t units, std::int64_t units_after = 0);

 private:
  Reporter& reporter_;
  Loop loop_;
  std::int64_t done_ = 0;
  Clock::time_point start_;
  Clock::time_point last_;
};

}  // namespace hanok::training
#pragma GCC visibility pop
