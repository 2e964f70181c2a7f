// The checks of pooling that ops share.
#pragma once

#include <cstdint>

#include "hanok/engine/ops/common.h"
#include "hanok/kernels/conv2d.h"

namespace hanok::ops {

/// Sizes of pooling an input of shape [N,C,H,W]; throws ValueError or ShapeError for an invalid
/// window. Messages show `operands`.
Pool2dShape check_pool_window(const char* op, const Shape& x, std::int64_t kernel_h,
                              std::int64_t kernel_w, const Window2d& window, PoolSize rounding,
                              Operands operands);
/// Maxima are kept as a tap's number in one byte.
void check_max_pool_taps(const char* op, std::int64_t kernel_h, std::int64_t kernel_w,
                         Operands operands);

}  // namespace hanok::ops
