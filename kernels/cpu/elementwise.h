// Elementwise ops; see Backend for their meaning.
#pragma once

#include "hanok/kernels/backend.h"
#include "hanok/kernels/cpu/isa.h"

namespace hanok::cpu {

void unary(ExecContext& ctx, Isa isa, UnaryOp op, UnaryParams params, ConstView x, View y);
void unary_backward(ExecContext& ctx, Isa isa, UnaryOp op, UnaryParams params, ConstView x,
                    ConstView y, ConstView dy, View dx);
void binary(ExecContext& ctx, Isa isa, BinaryOp op, const StridedConstView& a,
            const StridedConstView& b, View out);
void add_scaled(ExecContext& ctx, Isa isa, float alpha, ConstView x, View y);

}  // namespace hanok::cpu
