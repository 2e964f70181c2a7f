// Reductions; see Backend for their meaning.
#pragma once

#include "hanok/kernels/backend.h"
#include "hanok/kernels/cpu/isa.h"

namespace hanok::cpu {

void reduce(ExecContext& ctx, Isa isa, ReduceOp op, const StridedConstView& x, std::uint32_t dims,
            View out);
void max_along(ExecContext& ctx, ConstView x, std::int64_t outer, std::int64_t length,
               std::int64_t inner, View values, View indices);
void scatter_along(ExecContext& ctx, ConstView dy, ConstView indices, std::int64_t outer,
                   std::int64_t length, std::int64_t inner, View dx);
void l2_norm(ExecContext& ctx, Isa isa, const std::vector<ConstView>& xs, View out);

}  // namespace hanok::cpu
