// Elementwise ops; Backend documents the functions.
#pragma once

#include "hanok/kernels/backend.h"

namespace hanok::cuda {

void unary(ExecContext& ctx, UnaryOp op, UnaryParams params, ConstView x, View y);
void unary_backward(ExecContext& ctx, UnaryOp op, UnaryParams params, ConstView x, ConstView y,
                    ConstView dy, View dx);
void binary(ExecContext& ctx, BinaryOp op, const StridedConstView& a, const StridedConstView& b,
            View out);
void add_scaled(ExecContext& ctx, float alpha, ConstView x, View y);

}  // namespace hanok::cuda
