// Fills, copies and conversions; Backend documents the functions.
#pragma once

#include "hanok/kernels/backend.h"

namespace hanok::cuda {

void fill(ExecContext& ctx, View out, double value);
void strided_copy(ExecContext& ctx, const StridedView& dst, const StridedConstView& src);
void cast(ExecContext& ctx, View dst, ConstView src);
void normalize_u8(ExecContext& ctx, ConstView x, ConstView mean, ConstView stddev, View y);

}  // namespace hanok::cuda
