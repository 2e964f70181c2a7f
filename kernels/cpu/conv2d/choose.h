// Which algorithm computes a convolution on the CPU: a pure function of the pass and the sizes, so
// that results never depend on a measurement (unless one asks for that: conv2d_choices.h).
#pragma once

#include <vector>

#include "hanok/kernels/backend.h"
#include "hanok/kernels/conv2d.h"

namespace hanok {

enum class Conv2dAlgorithm {
  ImplicitGemm,     // the patch matrix is gathered block by block and multiplied: always possible
  Winograd4x4,      // F(4x4, 3x3): a quarter of the multiplications, for 3x3 with stride 1
  Winograd2x2,      // F(2x2, 3x3), for 3x3 with stride 1, many channels and few pixels
  WinogradStrided,  // F(4x4, 2x2) over the phases of the image, for 3x3 with stride 2
  WinogradStem,     // F(3x3, 4x4) over cells of 2x2 pixels, for 7x7 with stride 2 over few channels
  Depthwise,        // a filter (or some) for each channel alone
};

/// Images count as shape.nominal_n where that is given, as shape.n otherwise.
Conv2dAlgorithm choose_conv2d(Conv2dPass pass, const Conv2dShape& shape);

/// Every algorithm, in the order of the enumeration.
const std::vector<Conv2dAlgorithm>& conv2d_algorithms();

/// Whether the algorithm can compute this pass, fast or not.
bool can_compute(Conv2dAlgorithm algorithm, Conv2dPass pass, const Conv2dShape& shape);

/// "implicit_gemm", "winograd4x4", "winograd2x2", "winograd_strided", "winograd_stem", "depthwise"
const char* name_of(Conv2dAlgorithm algorithm);

}  // namespace hanok
