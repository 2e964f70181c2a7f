// Reading any file takes less than 5 seconds and 1 GB.
#pragma once

#include <algorithm>
#include <cstddef>
#include <ctime>
#include <fstream>
#include <gtest/gtest.h>
#include <string>

#include "tests/support/sanitized.h"

namespace hanok::test {

inline constexpr double kMostSeconds = 5;
inline constexpr long kMostMemory = 1'000'000;  // kB

// Sanitizers keep what was freed, and take several times as long.
inline constexpr double kSanitizerFactor = kSanitized ? 5 : 1;

/// kB of a line of /proc/self/status ("VmHWM"); 0 where there is none.
inline long memory_line(const std::string& name) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind(name + ":", 0) == 0) return std::stol(line.substr(name.size() + 1));
  }
  return 0;
}

/// Runs `act` and expects that it keeps to the limits: processor time, since the machine may be
/// busy, and how far the resident memory grows at most.
template <typename Act>
void expect_bounded(const Act& act) {
  std::ofstream("/proc/self/clear_refs") << "5\n";  // the highest so far is forgotten
  const long memory = memory_line("VmRSS");
  const std::clock_t begin = std::clock();
  act();
  const double seconds = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
  EXPECT_LT(seconds, kMostSeconds * kSanitizerFactor);
  EXPECT_LT(static_cast<double>(memory_line("VmHWM") - memory),
            static_cast<double>(kMostMemory) * kSanitizerFactor);
}

}  // namespace hanok::test
