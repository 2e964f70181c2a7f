// Which of cuDNN's kernels compute a run's convolutions: chosen once for each shape, kept with the
// run and in the user's cache.
#pragma once

#include <string>

#include "hanok/kernels/base/device.h"

namespace hanok::training {

/// Where choices of all runs are kept: cudnn_plans beside the folder of fetched weights
/// ($HANOK_HOME, else the user's cache); "" where there is none.
std::string shared_cudnn_plans();

/// For convolutions on that device from now on (nothing changes for the CPU): choices come from the
/// folder `run_plans` ("" without a run), then from those of all runs that were made in the same
/// way, and new ones are left in both. `autotune`: measure instead of believing cuDNN.
void use_cudnn_plans(Device device, const std::string& run_plans, bool autotune);

/// Adds to the text file at `path` a line for each choice that this process made or found.
void append_cudnn_plans(Device device, const std::string& path);

}  // namespace hanok::training
