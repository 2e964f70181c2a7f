// Convolutions by cuDNN's graph API, with the epilogue fused if cuDNN has such a kernel. Includes
// no cuDNN header.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "hanok/kernels/cuda/conv/convolution.h"

namespace hanok::cuda {

/// How plans are chosen. A plan is cuDNN's term for one of its kernels with all its settings.
struct CudnnOptions {
  /// Measure the best few plans of each shape once, instead of using cuDNN's heuristics. Initially
  /// HANOK_CUDNN_AUTOTUNE=1.
  bool autotune = false;
  /// Folders in which plans are looked up and stored; "": none. Plans in a run's own folder are
  /// always used; a plan in the shared folder is used only if it was chosen with the same
  /// `autotune` setting, so that a run does not depend on what others measured. Initially none and
  /// HANOK_CUDNN_PLANS.
  std::string own_folder, shared_folder;
};
CudnnOptions cudnn_options();
/// Applies to plans created from now on.
void set_cudnn_options(const CudnnOptions& options);

/// Convolutions by cuDNN on that device; null and a reason if the library is missing or too old.
/// Throws DeviceError if it cannot be initialised.
std::unique_ptr<Convolution> make_cudnn_convolution(int device, std::string* missing);

/// "9.19.0" of the loaded library, or "" if there is none.
std::string cudnn_version();

/// One line per plan chosen by this process so far, in order: the convolution, the engine,
/// workspace bytes and the origin of the choice; also one line for each fused graph without an
/// engine, which ran as separate kernels.
std::vector<std::string> cudnn_plan_records();

}  // namespace hanok::cuda
