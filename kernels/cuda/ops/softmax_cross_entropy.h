// Softmax and cross entropy on CUDA; Backend documents the functions.
#pragma once

#include "hanok/kernels/backend.h"

namespace hanok::cuda {

void softmax(ExecContext& ctx, bool log, ConstView x, std::int64_t outer, std::int64_t length,
             std::int64_t inner, View y);
void softmax_backward(ExecContext& ctx, bool log, ConstView y, ConstView dy, std::int64_t outer,
                      std::int64_t length, std::int64_t inner, View dx);
/// A kernel cannot throw: a target that is not below the number of classes makes the sample's loss,
/// weight and gradient NaN.
void cross_entropy(ExecContext& ctx, const CrossEntropy& op, View losses, View weights);
void cross_entropy_backward(ExecContext& ctx, const CrossEntropy& op, ConstView scale,
                            View dlogits);

}  // namespace hanok::cuda
