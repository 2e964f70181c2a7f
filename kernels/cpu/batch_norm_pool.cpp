// The ops between a network's stem and its blocks are bound by memory, and the largest tensor is
// the convolution's output x: 103 MB for 32 images of ResNet. Batch norm, ReLU and pooling one
// after the other write and read one more tensor of that size, forward and backward. Here that
// tensor is never stored: forward reads x once; backward reads x once for the sums, at the windows'
// maxima only, and once where dx is written (over x, if the caller requests it).
//
// ReLU needs no gate of its own: the kept number of a window's maximum says whether it passed.

#include "hanok/kernels/cpu/isa/batch_norm_pool.h"

#include <algorithm>
#include <string>
#include <vector>

#include "hanok/kernels/base/error.h"
#include "hanok/kernels/cpu/batch_norm.h"
#include "hanok/kernels/cpu/call.h"
#include "hanok/kernels/cpu/isa/batch_norm_pool.h"
#include "hanok/kernels/cpu/pool_links.h"
#include "hanok/kernels/primitives/batch_norm.h"

namespace hanok::cpu {
namespace {

constexpr std::int64_t kGroup = 16;  // windows whose sums are taken in f32

std::uint8_t tap_number(const Pool2dShape& shape, const Link& row, const Link& column) {
  return static_cast<std::uint8_t>(row.tap * shape.s + column.tap);
}

/// The sums of g and g (x - mean) over the windows of some lines of the result.
template <typename X>
class LineSums {
 public:
  LineSums(Isa isa, const BatchNormBackward& op, const Pool2dShape& shape, ConstView indices)
      : isa_(isa), op_(op), shape_(shape), indices_(indices) {}

  void operator()(std::int64_t begin, std::int64_t end, double* sum_g, double* sum_gx) const {
    std::fill(sum_g, sum_g + shape_.c, 0.0);
    std::fill(sum_gx, sum_gx + shape_.c, 0.0);
    const auto most = static_cast<std::size_t>(kGroup * shape_.r * shape_.s);
    std::vector<NormTap<X>> taps(most);
    std::vector<PooledWindow<X>> windows(static_cast<std::size_t>(kGroup));
    for (std::int64_t line = begin; line < end; ++line) {
      for (std::int64_t first = 0; first < columns_.results(); first += kGroup) {
        const std::int64_t count = std::min(kGroup, columns_.results() - first);
        NormTap<X>* next = taps.data();
        for (std::int64_t i = 0; i < count; ++i) {
          next = fill(windows[static_cast<std::size_t>(i)], next, line, first + i);
        }
        kernels_of(isa_).batch_norm_pool.passes<X>().backward_sums(windows.data(), count, shape_.c,
                                                                   op_.mean.f32(), sum_g, sum_gx);
      }
    }
  }

 private:
  /// Returns the end of the window's taps.
  NormTap<X>* fill(PooledWindow<X>& window, NormTap<X>* taps, std::int64_t line,
                   std::int64_t column) const {
    const std::int64_t image = line / rows_.results() * rows_.operands();
    const std::int64_t row = line % rows_.results();
    const std::int64_t at = (line * columns_.results() + column) * shape_.c;
    window = {taps, 0, op_.dy.f32() + at, indices_.as<std::uint8_t>() + at};
    for (const Link* r = rows_.begin(row); r != rows_.end(row); ++r) {
      const X* x = op_.x.as<X>() + (image + r->operand) * columns_.operands() * shape_.c;
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

template <typename X>
void run_forward(const Call& call, const BatchNormMaxPool& op) {
  Workspace::Scope scope(call.ctx.workspace);
  auto* scale = scope.take_array<float>(2 * op.pool.c);
  const BatchNormChannels k =
      scale_and_shift(op.norm.mean, op.norm.invstd, op.norm.gamma, op.norm.beta, scale);
  for_pixels<NormTap<X>>(
      call.ctx, op.pool.n, op.pool.c, row_links(op.pool), column_links(op.pool),
      [&](NormTap<X>& tap, std::int64_t at, const Link& row, const Link& column) {
        tap.values = op.norm.x.as<X>() + at;
        tap.number = tap_number(op.pool, row, column);
      },
      [&](const NormTap<X>* taps, std::int64_t count, std::int64_t at) {
        std::uint8_t* numbers = op.indices.defined() ? op.indices.as<std::uint8_t>() + at : nullptr;
        X* chosen = op.chosen.defined() ? op.chosen.as<X>() + at : nullptr;
        kernels_of(call.isa).batch_norm_pool.passes<X>().apply(
            taps, count, op.pool.c, k, op.norm.activation == Activation::Relu, op.norm.y.f32() + at,
            numbers, chosen);
      });
}

template <typename X>
void run_backward(const Call& call, const BatchNormMaxPoolBackward& op) {
  Workspace::Scope scope(call.ctx.workspace);
  auto* scale = scope.take_array<float>(4 * op.pool.c);
  BatchNormChannels k =
      scale_and_shift(op.norm.mean, op.norm.invstd, op.norm.gamma, op.norm.beta, scale);
  const bool centred = op.norm.dx.defined() && !op.norm.frozen_statistics;
  float* offset = scale + 2 * op.pool.c;
  float* slope = offset + op.pool.c;
  if (op.batch.dgamma.defined()) {
    const auto rows = static_cast<double>(op.batch.images * op.pool.h * op.pool.w);
    for (std::int64_t c = 0; c < op.pool.c; ++c) {
      const double invstd = op.norm.invstd.f32()[c];
      offset[c] = static_cast<float>(op.batch.dbeta.f32()[c] / rows);
      slope[c] = static_cast<float>(op.batch.dgamma.f32()[c] * invstd / rows);
    }
  } else if (centred || op.norm.dgamma.defined() || op.norm.dbeta.defined()) {
    const std::int64_t line = std::max<std::int64_t>(op.pool.q() * op.pool.c, 1);
    const std::int64_t block_lines = std::max<std::int64_t>(16384 / line, 1);
    const std::int64_t lines = op.pool.n * op.pool.p();
    const std::int64_t blocks = (lines + block_lines - 1) / block_lines;
    auto* partial = scope.take_array<double>(blocks * 2 * op.pool.c);
    const LineSums<X> sums(call.isa, op.norm, op.pool, op.indices);
    call.ctx.pool.run_blocks(lines, block_lines, [&](std::int64_t begin, std::int64_t end) {
      double* sum_g = partial + begin / block_lines * 2 * op.pool.c;
      sums(begin, end, sum_g, sum_g + op.pool.c);
    });
    combine_backward_sums(call.ctx, op.norm, partial, blocks, op.pool.n * op.pool.h * op.pool.w,
                          offset, slope);
  }
  if (centred) {
    k.offset = offset;
    k.slope = slope;
  }
  if (!op.norm.dx.defined()) {
    return;
  }
  for_pixels<PoolTap>(
      call.ctx, op.pool.n, op.pool.c, row_links(op.pool).inverse(), column_links(op.pool).inverse(),
      [&](PoolTap& tap, std::int64_t at, const Link& row, const Link& column) {
        tap.values = op.norm.dy.f32() + at;
        tap.indices = op.indices.as<std::uint8_t>() + at;
        tap.number = tap_number(op.pool, row, column);
      },
      [&](const PoolTap* taps, std::int64_t count, std::int64_t at) {
        kernels_of(call.isa).batch_norm_pool.passes<X>().backward_apply(
            taps, count, op.pool.c, k, op.norm.x.as<X>() + at, op.norm.dx.f32() + at);
      });
}

}  // namespace

void run(const Call& call, const BatchNormMaxPool& op) {
  if (op.chosen.defined() && op.chosen.dtype != op.norm.x.dtype) {
    throw DTypeError(std::string(BatchNormMaxPool::kName) + ": chosen has x's type, " +
                     name_of(op.norm.x.dtype) + ", not " + name_of(op.chosen.dtype));
  }
  with_norm_type(op.norm.x, [&]<typename X>() { run_forward<X>(call, op); });
}

void run(const Call& call, const BatchNormMaxPoolBackward& op) {
  with_norm_type(op.norm.x, [&]<typename X>() { run_backward<X>(call, op); });
}

}  // namespace hanok::cpu
