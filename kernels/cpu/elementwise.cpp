#include "hanok/kernels/primitives/elementwise.h"

#include <algorithm>

#include "hanok/kernels/base/strided.h"
#include "hanok/kernels/cpu/call.h"
#include "hanok/kernels/cpu/isa/elementwise.h"

namespace hanok::cpu {
namespace {

constexpr std::int64_t kGrain = 16384;  // floats a task: 64 KiB an operand

/// Slopes of channels, repeated to rows long enough for the loops over them.
struct SlopePattern {
  const float* slopes;
  std::int64_t length;  // a multiple of the channels
};

SlopePattern repeated(ConstView slopes, Workspace::Scope& scope) {
  constexpr std::int64_t kWanted = 1024;
  const std::int64_t channels = std::max<std::int64_t>(slopes.numel(), 1);
  const std::int64_t times = (kWanted + channels - 1) / channels;
  auto* pattern = scope.take_array<float>(times * channels);
  for (std::int64_t i = 0; i < times; ++i) {
    std::copy_n(slopes.f32(), slopes.numel(), pattern + i * channels);
  }
  return {pattern, times * channels};
}

/// Calls row(offset, length) for the pattern's rows in `count` elements, in parallel.
template <typename Row>
void for_pattern_rows(ExecContext& ctx, const SlopePattern& pattern, std::int64_t count,
                      const Row& row) {
  const std::int64_t rows = (count + pattern.length - 1) / pattern.length;
  const std::int64_t grain = std::max<std::int64_t>(kGrain / pattern.length, 1);
  ctx.pool.run_blocks(rows, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t at = begin * pattern.length; at < std::min(end * pattern.length, count);
         at += pattern.length) {
      row(at, std::min(pattern.length, count - at));
    }
  });
}

/// p + offset, but null stays null.
const float* advance(ConstView view, std::int64_t offset) {
  return view.defined() ? view.f32() + offset : nullptr;
}

float* advance(View view, std::int64_t offset) {
  return view.defined() ? view.f32() + offset : nullptr;
}

}  // namespace

void run(const Call& call, const Prelu& op) {
  Workspace::Scope scope(call.ctx.workspace);
  const SlopePattern pattern = repeated(op.slopes, scope);
  for_pattern_rows(call.ctx, pattern, op.y.numel(), [&](std::int64_t at, std::int64_t length) {
    kernels_of(call.isa).elementwise.prelu(op.x.f32() + at, pattern.slopes, op.y.f32() + at,
                                           length);
  });
}

void run(const Call& call, const PreluBackward& op) {
  Workspace::Scope scope(call.ctx.workspace);
  const SlopePattern pattern = repeated(op.slopes, scope);
  for_pattern_rows(call.ctx, pattern, op.dy.numel(), [&](std::int64_t at, std::int64_t length) {
    kernels_of(call.isa).elementwise.prelu_backward(op.x.f32() + at, pattern.slopes,
                                                    op.dy.f32() + at, advance(op.dx, at),
                                                    advance(op.slope_terms, at), length);
  });
}

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
