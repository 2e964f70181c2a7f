// From a convolution's sizes to executable cuDNN plans: the only user of cuDNN's graph API. Plans
// are built for the device of a handle or, without a device, for a description of one (cuDNN's
// DeviceProperties).
#pragma once

#include <cstddef>
#include <cuda_runtime.h>
#include <memory>
#include <string>
#include <vector>

#include "hanok/kernels/base/error.h"
#include "hanok/kernels/cuda/conv/convolution_problem.h"

struct cudnnContext;

namespace hanok::cuda {

using CudnnHandle = cudnnContext*;

/// cuDNN has no engine for a graph, or rejects it; the message has the step and cuDNN's reason.
class CudnnRefusal : public DeviceError {
  using DeviceError::DeviceError;
};

/// One kernel of cuDNN with all its settings, for one problem.
class CudnnPlan {
 public:
  virtual ~CudnnPlan() = default;
  /// cuDNN's name for it, e.g. "eng40_k24=13".
  virtual std::string engine() const = 0;
  virtual std::size_t workspace_bytes() const = 0;
  /// Text from which load_plan() rebuilds it on the same kind of device with the same cuDNN.
  virtual std::string serialize() const = 0;
  /// Enqueues it on the handle's stream. Needs all tensors of the problem, in any order.
  virtual void execute(CudnnHandle handle, const TensorPointers& tensors,
                       void* workspace) const = 0;
};

/// Loads cuDNN once per process; false and a reason if it is missing or older than 9.8.
bool open_cudnn(std::string* missing);
/// For example 91900 for 9.19.0; 0 if it is missing.
std::size_t cudnn_version_number();

CudnnHandle create_cudnn_handle();  // on the current device
void destroy_cudnn_handle(CudnnHandle handle);
void set_cudnn_stream(CudnnHandle handle, cudaStream_t stream);

/// Up to `count` plans, those that cuDNN expects to be fastest first. All are deterministic, have
/// at least the requested precision, and need at most `workspace_limit` bytes of workspace. Throws
/// CudnnRefusal if there is none.
std::vector<std::unique_ptr<CudnnPlan>> build_plans(const ConvolutionProblem& problem,
                                                    CudnnHandle handle, std::size_t count,
                                                    std::size_t workspace_limit);
/// The same without a device: `device_json` is cuDNN's description of one.
std::vector<std::unique_ptr<CudnnPlan>> build_plans_for(const ConvolutionProblem& problem,
                                                        const std::string& device_json,
                                                        std::size_t count,
                                                        std::size_t workspace_limit);
/// Throws CudnnRefusal if the text does not match this device or this cuDNN.
std::unique_ptr<CudnnPlan> load_plan(CudnnHandle handle, const std::string& text);

}  // namespace hanok::cuda
