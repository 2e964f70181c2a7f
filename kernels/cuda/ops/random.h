// Random numbers; Backend documents the functions.
#pragma once

#include "hanok/kernels/backend.h"

namespace hanok::cuda {

void random_uniform(ExecContext& ctx, const RandomCall& call, float low, float high, View out);
void random_normal(ExecContext& ctx, const RandomCall& call, float mean, float stddev, View out);
void dropout(ExecContext& ctx, const RandomCall& call, float p, ConstView x, View y);

}  // namespace hanok::cuda
