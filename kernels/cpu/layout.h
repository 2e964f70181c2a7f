// Fills, copies and conversions; see Backend for their meaning.
#pragma once

#include "hanok/kernels/backend.h"
#include "hanok/kernels/cpu/isa.h"

namespace hanok::cpu {

void fill(ExecContext& ctx, Isa isa, View out, double value);
void strided_copy(ExecContext& ctx, const StridedView& dst, const StridedConstView& src);
void cast(ExecContext& ctx, View dst, ConstView src);
void normalize_u8(ExecContext& ctx, ConstView x, ConstView mean, ConstView stddev, View y);

}  // namespace hanok::cpu
