// Implementations of convolutions on a GPU: cuDNN if available, else hanok's own kernels. The
// backend holds one and calls it for every convolution.
#pragma once

#include <cstddef>
#include <memory>

#include "hanok/kernels/backend.h"

namespace hanok::cuda {

/// The meaning of each function is that of the primitives (kernels/primitives/conv2d.h); weights
/// are used as they are, never packed. One object serves one device; not thread-safe.
class Convolution {
 public:
  virtual ~Convolution() = default;
  /// Name of the algorithm chosen for a pass over these sizes.
  virtual const char* algorithm(Conv2dPass pass, const Conv2dShape& shape) const = 0;
  virtual std::size_t workspace_bytes(Conv2dPass pass, const Conv2dShape& shape) const = 0;
  virtual void forward(ExecContext& context, const Conv2dShape& shape, ConstView x, ConstView w,
                       const Epilogue& epilogue, View y) = 0;
  virtual void backward_data(ExecContext& context, const Conv2dShape& shape, ConstView dy,
                             ConstView w, View dx) = 0;
  virtual void backward_weights(ExecContext& context, const Conv2dShape& shape, ConstView x,
                                ConstView dy, View dw) = 0;
};

/// kernels/cuda/conv/conv2d.h, which needs no library.
std::unique_ptr<Convolution> make_own_convolution();

}  // namespace hanok::cuda
