#include "hanok/kernels/cpu/elementwise.h"

#include "hanok/kernels/base/strided.h"
#include "hanok/kernels/cpu/isa/elementwise.h"
#include "hanok/kernels/cpu/isa/isa_kernels.h"

namespace hanok::cpu {
namespace {

constexpr std::int64_t kGrain = 16384;  // floats a task: 64 KiB an operand

/// p + offset, but null stays null.
const float* advance(ConstView view, std::int64_t offset) {
  return view.defined() ? view.f32() + offset : nullptr;
}

}  // namespace

void unary(ExecContext& ctx, Isa isa, UnaryOp op, UnaryParams params, ConstView x, View y) {
  ctx.pool.run_blocks(y.numel(), kGrain, [&](std::int64_t begin, std::int64_t end) {
    kernels_of(isa).elementwise.unary(op, params.alpha, params.beta, x.f32() + begin,
                                      y.f32() + begin, end - begin);
  });
}

void unary_backward(ExecContext& ctx, Isa isa, UnaryOp op, UnaryParams params, ConstView x,
                    ConstView y, ConstView dy, View dx) {
  ctx.pool.run_blocks(dx.numel(), kGrain, [&](std::int64_t begin, std::int64_t end) {
    kernels_of(isa).elementwise.unary_backward(op, params.alpha, params.beta, advance(x, begin),
                                               advance(y, begin), dy.f32() + begin,
                                               dx.f32() + begin, end - begin);
  });
}

void binary(ExecContext& ctx, Isa isa, BinaryOp op, const StridedConstView& a,
            const StridedConstView& b, View out) {
  const auto* left = static_cast<const float*>(a.data);
  const auto* right = static_cast<const float*>(b.data);
  const StridedLoop<3> loop(a.sizes, {row_major_strides(a.sizes), a.strides, b.strides});
  const std::int64_t row_a = loop.row_steps()[1];
  const std::int64_t row_b = loop.row_steps()[2];
  ctx.pool.run_blocks(out.numel(), kGrain, [&](std::int64_t begin, std::int64_t end) {
    loop.for_rows(begin, end, [&](const auto& at, std::int64_t length) {
      kernels_of(isa).elementwise.binary(op, left + at[1], row_a, right + at[2], row_b,
                                         out.f32() + at[0], length);
    });
  });
}

void add_scaled(ExecContext& ctx, Isa isa, float alpha, ConstView x, View y) {
  ctx.pool.run_blocks(y.numel(), kGrain, [&](std::int64_t begin, std::int64_t end) {
    kernels_of(isa).elementwise.add_scaled(alpha, x.f32() + begin, y.f32() + begin, end - begin);
  });
}

}  // namespace hanok::cpu
