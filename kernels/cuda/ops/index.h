// Selection by condition and by index; Backend documents the functions.
#pragma once

#include "hanok/kernels/backend.h"

namespace hanok::cuda {

void select(ExecContext& ctx, const StridedConstView& condition, const StridedConstView& a,
            const StridedConstView& b, View out);
void gather(ExecContext& ctx, const GatherShape& shape, ConstView x, ConstView indices, View y);
void gather_backward(ExecContext& ctx, const GatherShape& shape, ConstView dy, ConstView indices,
                     View dx);
void topk(ExecContext& ctx, ConstView x, std::int64_t outer, std::int64_t length,
          std::int64_t inner, std::int64_t k, View values, View indices);

}  // namespace hanok::cuda
