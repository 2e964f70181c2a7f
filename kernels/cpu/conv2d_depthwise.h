// Depthwise convolution: each channel has its own filters and meets no other channel.
//
//   forward:          y[p,q,c*m+j] = sum over r,s of w[c*m+j,r,s] * x[h(p,r),w(q,s),c]
//   backward data:    dx[h,w,c] = sum over j and the taps that reach (h,w) of w * dy
//   backward weights: dw[c*m+j,r,s] = sum over n,p,q of dy[p,q,c*m+j] * x[h(p,r),w(q,s),c]
//
// m = K / C filters a channel. With so few multiplications there is no matrix product in it; seen
// as one (a group a channel) it would use one of 16 columns.
#pragma once

#include <cstddef>

#include "kernels/backend.h"
#include "kernels/cpu/isa/depthwise.h"

namespace hanok::cpu::depthwise {

/// The tables of one instruction-set path.
struct Kernels {
  const GemmKernels& gemm;
  const DepthwiseKernels& depthwise;
};

/// Bytes of the packed weights of a pass (Forward or BackwardData).
std::size_t packed_bytes(const Conv2dShape& shape);
void pack(const Conv2dShape& shape, const float* w, float* packed);

/// Bytes taken from the workspace besides packed weights.
std::size_t workspace_bytes(Conv2dPass pass, const Conv2dShape& shape);

void forward(ExecContext& context, const Kernels& kernels, const Conv2dShape& shape, const float* x,
             const float* packed, const Epilogue& epilogue, float* y);
void backward_data(ExecContext& context, const Kernels& kernels, const Conv2dShape& shape,
                   const float* dy, const float* packed, float* dx);
void backward_weights(ExecContext& context, const Kernels& kernels, const Conv2dShape& shape,
                      const float* x, const float* dy, float* dw);

}  // namespace hanok::cpu::depthwise
