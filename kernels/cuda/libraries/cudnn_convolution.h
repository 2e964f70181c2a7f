// Convolutions by cuDNN, through its graph API: the convolution and what follows it in one kernel
// where cuDNN has one. No header of cuDNN is included here.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "hanok/kernels/cuda/conv/convolution.h"

namespace hanok::cuda {

/// How plans are chosen. A plan is cuDNN's word for one of its kernels with all its settings.
struct CudnnOptions {
  /// Measure the best few plans of each shape once, instead of believing cuDNN's heuristics.
  /// Initially HANOK_CUDNN_AUTOTUNE=1.
  bool autotune = false;
  /// Folders in which plans are looked for and left; "": none. A run's own folder is taken at its
  /// word; from the shared one a plan is taken only if it was chosen in the way that `autotune`
  /// asks for, so that a run does not depend on what others measured. Initially none and
  /// HANOK_CUDNN_PLANS.
  std::string own_folder, shared_folder;
};
CudnnOptions cudnn_options();
/// Holds for plans that are made from now on.
void set_cudnn_options(const CudnnOptions& options);

/// Convolutions by cuDNN on that device; null and a reason where the library is missing or too old.
/// Throws DeviceError where it is there and cannot be set up.
std::unique_ptr<Convolution> make_cudnn_convolution(int device, std::string* missing);

/// "9.19.0" of the library that is loaded, or "" where there is none.
std::string cudnn_version();

/// One line a plan that this process chose so far, in order: its convolution, the engine, scratch
/// bytes and where the choice came from; also one line for each fused graph that had no engine and
/// was computed by separate kernels instead.
std::vector<std::string> cudnn_plan_records();

}  // namespace hanok::cuda
