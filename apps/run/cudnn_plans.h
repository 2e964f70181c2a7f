// Which of cuDNN's kernels compute a run's convolutions: chosen once for each shape, kept with the
// run and in the user's cache.
#pragma once

#include <string>

#include "hanok/kernels/base/device.h"

#pragma GCC visibility push(default)
namespace hanok::training {

/// Where choices of all runs are kept: cudnn_plans beside the folder of fetched weights
/// ($HANOK_HOME, else the user's cache); "" where there is none.
std::string shared_cudnn_plans();

/// For convolutions on that device from now on (nothing changes for the CPU): choices come from the
/// run's folder, then from those of all runs that were made in the same way, and new ones are
/// written to both.
struct CudnnPlanOptions {
  std::string run_plans{};  // folder; empty without a run
  bool autotune = false;    // measure instead of trusting cuDNN's heuristics
};
void use_cudnn_plans(Device device, const CudnnPlanOptions& options);

/// Adds to the text file at `path` a line for each choice that this process made or found.
void append_cudnn_plans(Device device, const std::string& path);

}  // namespace hanok::training
#pragma GCC visibility pop
