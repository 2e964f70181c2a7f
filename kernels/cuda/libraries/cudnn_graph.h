// From a convolution's sizes to plans of cuDNN that can be executed: the only place that speaks
// cuDNN's graph API. Plans are built for the device of a handle or, without any device, for one
// that is described in words (cuDNN's DeviceProperties).
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

/// cuDNN has no engine for a graph, or refuses it; the message holds the step and cuDNN's reason.
class CudnnRefusal : public DeviceError {
  using DeviceError::DeviceError;
};

/// One kernel of cuDNN with all its settings, for one problem.
class CudnnPlan {
 public:
  virtual ~CudnnPlan() = default;
  /// cuDNN's name of it, e.g. "eng40_k24=13".
  virtual std::string engine() const = 0;
  virtual std::size_t workspace_bytes() const = 0;
  /// Text from which load_plan() makes it again on the same kind of device with the same cuDNN.
  virtual std::string serialize() const = 0;
  /// Enqueues it on the handle's stream. All tensors of the problem, in any order.
  virtual void execute(CudnnHandle handle, const TensorPointers& tensors,
                       void* workspace) const = 0;
};

/// Loads cuDNN once for the process; false and a reason where it is missing or older than 9.8.
bool open_cudnn(std::string* missing);
/// As 91900 for 9.19.0; 0 where it is missing.
std::size_t cudnn_version_number();

CudnnHandle create_cudnn_handle();  // on the current device
void destroy_cudnn_handle(CudnnHandle handle);
void set_cudnn_stream(CudnnHandle handle, cudaStream_t stream);

/// Up to `count` plans, the one that cuDNN expects to be fastest first. Only deterministic ones, of
/// no less precision than the problem asks for, with at most `workspace_limit` bytes of scratch.
/// Throws CudnnRefusal if there is none.
std::vector<std::unique_ptr<CudnnPlan>> build_plans(const ConvolutionProblem& problem,
                                                    CudnnHandle handle, std::size_t count,
                                                    std::size_t workspace_limit);
/// The same without a device: `device_json` is cuDNN's description of one.
std::vector<std::unique_ptr<CudnnPlan>> build_plans_for(const ConvolutionProblem& problem,
                                                        const std::string& device_json,
                                                        std::size_t count,
                                                        std::size_t workspace_limit);
/// Throws CudnnRefusal if the text does not fit this device or this cuDNN.
std::unique_ptr<CudnnPlan> load_plan(CudnnHandle handle, const std::string& text);

}  // namespace hanok::cuda
