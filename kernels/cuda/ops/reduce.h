// Reductions; Backend documents the functions.
#pragma once

#include <vector>

#include "hanok/kernels/backend.h"

namespace hanok::cuda {

void reduce(ExecContext& ctx, ReduceOp op, const StridedConstView& x, std::uint32_t dims, View out);
void max_along(ExecContext& ctx, ConstView x, std::int64_t outer, std::int64_t length,
               std::int64_t inner, View values, View indices);
void scatter_along(ExecContext& ctx, ConstView dy, ConstView indices, std::int64_t outer,
                   std::int64_t length, std::int64_t inner, View dx);
void l2_norm(ExecContext& ctx, const std::vector<ConstView>& xs, View out);

}  // namespace hanok::cuda
