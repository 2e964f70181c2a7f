// MobileNetV2's block without its wide tensors: a 1x1 convolution that widens, a depthwise 3x3 and
// a 1x1 that narrows, band of rows by band of rows.
#pragma once

#include "hanok/kernels/backend.h"
#include "hanok/kernels/cpu/isa.h"

namespace hanok::cpu {

/// Backend::fuses_inverted_residual: a pure function of the shape (and of choose_conv2d).
bool fuses_inverted_residual(const InvertedResidualShape& shape);

}  // namespace hanok::cpu
