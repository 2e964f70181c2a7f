// Softmax and cross entropy; see Backend for their meaning.
#pragma once

#include "hanok/kernels/backend.h"
#include "hanok/kernels/cpu/isa.h"

namespace hanok::cpu {

void softmax(ExecContext& ctx, Isa isa, bool log, ConstView x, std::int64_t outer,
             std::int64_t length, std::int64_t inner, View y);
void softmax_backward(ExecContext& ctx, Isa isa, bool log, ConstView y, ConstView dy,
                      std::int64_t outer, std::int64_t length, std::int64_t inner, View dx);
void cross_entropy(ExecContext& ctx, Isa isa, const CrossEntropy& op, View losses, View weights);
void cross_entropy_backward(ExecContext& ctx, Isa isa, const CrossEntropy& op, ConstView scale,
                            View dlogits);

}  // namespace hanok::cpu
