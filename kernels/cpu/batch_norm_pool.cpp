// What stands between a network's stem and its blocks is bound by memory, and its largest tensor is
// the convolution's output x: 103 MB for 32 images of ResNet. Batch norm, ReLU and pooling one
// after the other write and read one more tensor of that size, forward and backward. Here it does
// not exist: forward reads x once; backward reads x once for the sums, at the windows' maxima only,
// and once where dx is written (over x, if the caller wishes).
//
// ReLU needs no gate of its own: the kept number of a window's maximum says whether it passed.
#include "hanok/kernels/cpu/batch_norm_pool.h"

#include <algorithm>
#include <vector>

#include "hanok/kernels/cpu/batch_norm.h"
#include "hanok/kernels/cpu/isa/batch_norm_pool.h"
#include "hanok/kernels/cpu/isa/isa_kernels.h"
#include "hanok/kernels/cpu/pool_links.h"

namespace hanok::cpu {
namespace {

constexpr std::int64_t kGroup = 16;  // windows whose sums are taken in f32

std::uint8_t tap_number(const Pool2dShape& shape, const Link& row, const Link& column) {
  return static_cast<std::uint8_t>(row.tap * shape.s + column.tap);
}

/// The sums of g and g (x - mean) over the windows of some lines of the result.
class LineSums {
 public:
  LineSums(Isa isa, const BatchNormBackward& op, const Pool2dShape& shape, ConstView indices)
      : isa_(isa), op_(op), shape_(shape), indices_(indices) {}

  void operator()(std::int64_t begin, std::int64_t end, double* sum_g, double* sum_gx) const {
    std::fill(sum_g, sum_g + shape_.c, 0.0);
    std::fill(sum_gx, sum_gx + shape_.c, 0.0);
    const auto most = static_cast<std::size_t>(kGroup * shape_.r * shape_.s);
    std::vector<PoolTap> taps(most);
    std::vector<PooledWindow> windows(static_cast<std::size_t>(kGroup));
    for (std::int64_t line = begin; line < end; ++line) {
      for (std::int64_t first = 0; first < columns_.results(); first += kGroup) {
        const std::int64_t count = std::min(kGroup, columns_.results() - first);
        PoolTap* next = taps.data();
        for (std::int64_t i = 0; i < count; ++i) {
          next = fill(windows[static_cast<std::size_t>(i)], next, line, first + i);
        }
        kernels_of(isa_).batch_norm_pool.backward_sums(windows.data(), count, shape_.c,
                                                       op_.mean.f32(), sum_g, sum_gx);
      }
    }
  }

 private:
  /// Returns the end of the window's taps.
  PoolTap* fill(PooledWindow& window, PoolTap* taps, std::int64_t line, std::int64_t column) const {
    const std::int64_t image = line / rows_.results() * rows_.operands();
    const std::int64_t row = line % rows_.results();
    const std::int64_t at = (line * columns_.results() + column) * shape_.c;
    window = {taps, 0, op_.dy.f32() + at, indices_.as<std::uint8_t>() + at};
    for (const Link* r = rows_.begin(row); r != rows_.end(row); ++r) {
      const float* x = op_.x.f32() + (image + r->operand) * columns_.operands() * shape_.c;
      for (const Link* c = columns_.begin(column); c != columns_.end(column); ++c) {
        taps->values = x + c->operand * shape_.c;
        taps->number = tap_number(shape_, *r, *c);
        ++taps;
      }
    }
    window.count = taps - window.taps;
    return taps;
  }

  Isa isa_;
  const BatchNormBackward& op_;
  const Pool2dShape& shape_;
  ConstView indices_;
  Links rows_ = row_links(shape_), columns_ = column_links(shape_);
};

}  // namespace

void batch_norm_max_pool(ExecContext& ctx, Isa isa, const BatchNormApply& op,
                         const Pool2dShape& shape, View indices) {
  Workspace::Scope scope(ctx.workspace);
  auto* scale = scope.take_array<float>(2 * shape.c);
  const BatchNormChannels k = scale_and_shift(op.mean, op.invstd, op.gamma, op.beta, scale);
  for_pixels(
      ctx, shape.n, shape.c, row_links(shape), column_links(shape),
      [&](PoolTap& tap, std::int64_t at, const Link& row, const Link& column) {
        tap.values = op.x.f32() + at;
        tap.number = tap_number(shape, row, column);
      },
      [&](const PoolTap* taps, std::int64_t count, std::int64_t at) {
        std::uint8_t* numbers = indices.defined() ? indices.as<std::uint8_t>() + at : nullptr;
        kernels_of(isa).batch_norm_pool.apply(
            taps, count, shape.c, k, op.activation == Activation::Relu, op.y.f32() + at, numbers);
      });
}

void batch_norm_max_pool_backward(ExecContext& ctx, Isa isa, const BatchNormBackward& op,
                                  const Pool2dShape& shape, ConstView indices) {
  Workspace::Scope scope(ctx.workspace);
  auto* scale = scope.take_array<float>(4 * shape.c);
  BatchNormChannels k = scale_and_shift(op.mean, op.invstd, op.gamma, op.beta, scale);
  const bool centred = op.dx.defined() && !op.frozen_statistics;
  if (centred || op.dgamma.defined() || op.dbeta.defined()) {
    const std::int64_t line = std::max<std::int64_t>(shape.q() * shape.c, 1);
    const std::int64_t block_lines = std::max<std::int64_t>(16384 / line, 1);
    const std::int64_t lines = shape.n * shape.p();
    const std::int64_t blocks = (lines + block_lines - 1) / block_lines;
    auto* partial = scope.take_array<double>(blocks * 2 * shape.c);
    const LineSums sums(isa, op, shape, indices);
    ctx.pool.run_blocks(lines, block_lines, [&](std::int64_t begin, std::int64_t end) {
      double* sum_g = partial + begin / block_lines * 2 * shape.c;
      sums(begin, end, sum_g, sum_g + shape.c);
    });
    float* offset = scale + 2 * shape.c;
    float* slope = offset + shape.c;
    combine_backward_sums(ctx, op, partial, blocks, shape.n * shape.h * shape.w, offset, slope);
    if (centred) {
      k.offset = offset;
      k.slope = slope;
    }
  }
  if (!op.dx.defined()) {
    return;
  }
  for_pixels(
      ctx, shape.n, shape.c, row_links(shape).inverse(), column_links(shape).inverse(),
      [&](PoolTap& tap, std::int64_t at, const Link& row, const Link& column) {
        tap.values = op.dy.f32() + at;
        tap.indices = indices.as<std::uint8_t>() + at;
        tap.number = tap_number(shape, row, column);
      },
      [&](const PoolTap* taps, std::int64_t count, std::int64_t at) {
        kernels_of(isa).batch_norm_pool.backward_apply(taps, count, shape.c, k, op.x.f32() + at,
                                                       op.dx.f32() + at);
      });
}

}  // namespace hanok::cpu
