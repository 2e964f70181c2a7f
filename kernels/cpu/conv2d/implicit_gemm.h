// Convolution as a matrix product whose left operand, the patch matrix, exists only block by block.
//
//   forward:          y  [pixels of y, K]  = patches(x)  [pixels of y, R*S*C] * w^T [R*S*C, K]
//   backward data:    dx [pixels of dx, C] = patches(dy) [pixels of dx, taps*K] * w [taps*K, C]
//   backward weights: dw [K, R*S*C]        = dy^T [K, pixels of y] * patches(x)
//
// Any kernel size, stride, padding, dilation and number of groups. It is also the reference that
// the special algorithms are tested against.
#pragma once

#include <cstddef>

#include "hanok/kernels/cpu/conv2d/driver.h"

namespace hanok::cpu::implicit_gemm {

extern const Conv2dDriver driver;

/// Weights packed for Forward: [group][K/16 panels][R*S*C/groups][16]; few_channels reads the same.
std::size_t packed_bytes(Conv2dPass pass, const Conv2dShape& shape);
void pack(ExecContext& context, const IsaKernels& kernels, Conv2dPass pass,
          const Conv2dShape& shape, const float* w, float* packed);

// In implicit_gemm_backward_weights.cpp.
std::size_t backward_weights_workspace_bytes(const Conv2dShape& shape);
void backward_weights(ExecContext& context, const IsaKernels& kernels, const Conv2dShape& shape,
                      const float* x, const float* dy, float* dw);

}  // namespace hanok::cpu::implicit_gemm
