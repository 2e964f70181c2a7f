// What a run was computed with: environment.json in its folder. A resume on another machine, or by
// another build, says what of it changes the result's bits.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "hanok/apps/run/run_folder.h"
#include "hanok/kernels/base/device.h"

#pragma GCC visibility push(default)
namespace hanok::training {

struct Environment {
  // The result depends on these.
  std::string hanok{};    // version
  std::string kernels{};  // the CPU's instruction-set path
  std::string device{};   // "cpu", or what the CUDA runtime says of itself and its GPUs
  std::map<std::string, std::string> image_libraries{};
  // And on these it does not.
  std::string compiler{};
  std::string cpu{};
  std::vector<std::string> cpu_features{};  // those of vectors: "avx2", "fma", ...
  bool operator==(const Environment&) const = default;
};

/// Of this process, which computes on `device`.
Environment environment_of(Device device);

/// Differences on which a run's result depends, "kernels: avx2 before, portable now" each.
std::vector<std::string> changes(const Environment& before, const Environment& now);

/// All environments in which the run was trained, the first one first; none where the file is
/// missing, as in runs of older versions. Throws FormatError.
std::vector<Environment> read_environments(const RunFolder& folder);

/// Adds `now` to the file unless it is its last one. Returns the changes() since that.
std::vector<std::string> record_environment(const RunFolder& folder, const Environment& now);

/// The value of a key of /proc/cpuinfo, of the first CPU: "model name", "flags". Empty if there is
/// none.
std::string cpu_info(const std::string& key);

}  // namespace hanok::training
#pragma GCC visibility pop
