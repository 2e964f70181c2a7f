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

#include "hanok/kernels/backend.h"
#include "hanok/kernels/cpu/isa/gemm_kernels.h"

namespace hanok::cpu::implicit_gemm {

/// Bytes of the packed weights of a pass (Forward or BackwardData).
std::size_t packed_bytes(Conv2dPass pass, const Conv2dShape& shape);
void pack(ExecContext& context, const GemmKernels& kernels, Conv2dPass pass,
          const Conv2dShape& shape, const float* w, float* packed);

/// Bytes taken from the workspace besides packed weights.
std::size_t workspace_bytes(Conv2dPass pass, const Conv2dShape& shape);

void forward(ExecContext& context, const GemmKernels& kernels, const Conv2dShape& shape,
             const float* x, const float* packed, const Epilogue& epilogue, float* y);

/// The same bits for few channels, without gathering (conv2d_few_channels.cpp).
bool has_few_channels(const Conv2dShape& shape);
std::size_t few_channels_workspace_bytes(const Conv2dShape& shape);
void forward_few_channels(ExecContext& context, const GemmKernels& kernels,
                          const Conv2dShape& shape, const float* x, const float* packed,
                          const Epilogue& epilogue, float* y);

void backward_data(ExecContext& context, const GemmKernels& kernels, const Conv2dShape& shape,
                   const float* dy, const float* packed, float* dx);
void backward_weights(ExecContext& context, const GemmKernels& kernels, const Conv2dShape& shape,
                      const float* x, const float* dy, float* dw);

}  // namespace hanok::cpu::implicit_gemm
