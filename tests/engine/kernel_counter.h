// Counts the kernels that ops run, by name.
#pragma once

#include <map>
#include <string>

#include "hanok/engine/profiler.h"

namespace hanok::testing {

/// Counts kernel calls on the CPU while it lives.
class KernelCounter {
 public:
  std::map<std::string, int> counts() const {
    std::map<std::string, int> counts;
    for (const KernelCall& call : profiler_.calls()) ++counts[call.kernel];
    return counts;
  }
  int operator[](const std::string& name) const { return counts()[name]; }

 private:
  Profiler profiler_;
};

}  // namespace hanok::testing
