#include "hanok/kernels/primitives/elementwise.h"

#include "hanok/kernels/base/strided.h"
#include "hanok/kernels/cpu/call.h"
#include "hanok/kernels/cpu/isa/elementwise.h"

namespace hanok::cpu {
namespace {

constexpr std::int64_t kGrain = 16384;  // floats a task: 64 KiB an operand

/// p + offset, but null stays null.
const float* advance(ConstView view, std::int64_t offset) {
  return view.defined() ? view.f32() + offset : nullptr;
}

}  // namespace

void run(const Call& call, const Unary& op) {
  call.ctx.pool.run_blocks(op.y.numel(), kGrain, [&](std::int64_t begin, std::int64_t end) {
    kernels_of(call.isa).elementwise.unary(op.kind, op.params.alpha, op.params.beta,
                                           op.x.f32() + begin, op.y.f32() + begin, end - begin);
  });
}

void run(const Call& call, const UnaryBackward& op) {
  call.ctx.pool.run_blocks(op.dx.numel(), kGrain, [&](std::int64_t begin, std::int64_t end) {
    kernels_of(call.isa).elementwise.unary_backward(
        op.kind, op.params.alpha, op.params.beta, advance(op.x, begin), advance(op.y, begin),
        op.dy.f32() + begin, op.dx.f32() + begin, end - begin);
  });
}

void run(const Call& call, const Binary& op) {
  const auto* left = static_cast<const float*>(op.a.data);
  const auto* right = static_cast<const float*>(op.b.data);
  const StridedLoop<3> loop(op.a.sizes,
                            {row_major_strides(op.a.sizes), op.a.strides, op.b.strides});
  const std::int64_t row_a = loop.row_steps()[1];
  const std::int64_t row_b = loop.row_steps()[2];
  call.ctx.pool.run_blocks(op.out.numel(), kGrain, [&](std::int64_t begin, std::int64_t end) {
    loop.for_rows(begin, end, [&](const auto& at, std::int64_t length) {
      kernels_of(call.isa).elementwise.binary(op.kind, left + at[1], row_a, right + at[2], row_b,
                                              op.out.f32() + at[0], length);
    });
  });
}

void run(const Call& call, const AddScaled& op) {
  call.ctx.pool.run_blocks(op.y.numel(), kGrain, [&](std::int64_t begin, std::int64_t end) {
    kernels_of(call.isa).elementwise.add_scaled(op.alpha, op.x.f32() + begin, op.y.f32() + begin,
                                                end - begin);
  });
}

}  // namespace hanok::cpu
