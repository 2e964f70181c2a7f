// The CUDA backend.
#pragma once

#include <memory>
#include <string>

#include "hanok/kernels/backend.h"
#include "hanok/kernels/cuda/conv/convolution.h"
#include "hanok/kernels/cuda/gemm/matrix_product.h"

namespace hanok::cuda {

/// The parts of a backend besides hanok's own kernels.
struct BackendParts {
  int device = 0;
  std::string name;  // "cuda NVIDIA H100 sm_90"
  std::unique_ptr<MatrixProduct> product;
  std::unique_ptr<Convolution> convolution;
  /// Synchronise after each primitive, so that an asynchronous error names its op.
  bool synchronize = false;
};

std::unique_ptr<Backend> make_backend(BackendParts parts);

}  // namespace hanok::cuda
