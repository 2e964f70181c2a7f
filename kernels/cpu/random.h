// Random numbers; see Backend for their meaning.
#pragma once

#include "hanok/kernels/backend.h"
#include "hanok/kernels/cpu/isa.h"

namespace hanok::cpu {

void random_uniform(ExecContext& ctx, Isa isa, const RandomCall& call, float low, float high,
                    View out);
void random_normal(ExecContext& ctx, Isa isa, const RandomCall& call, float mean, float stddev,
                   View out);
void dropout(ExecContext& ctx, Isa isa, const RandomCall& call, float p, ConstView x, View y);

}  // namespace hanok::cpu
