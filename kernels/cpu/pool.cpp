#include "hanok/kernels/primitives/pool.h"

#include <utility>
#include <vector>

#include "hanok/kernels/cpu/call.h"
#include "hanok/kernels/cpu/pool_links.h"

namespace hanok::cpu {
namespace {

/// Output i covers the inputs [floor(i * input / output), ceil((i+1) * input / output)).
Links adaptive_links(std::int64_t input, std::int64_t output) {
  std::vector<Link> links;
  for (std::int64_t out = 0; out < output; ++out) {
    const std::int64_t begin = out * input / output;
    const std::int64_t end = ((out + 1) * input + output - 1) / output;
    for (std::int64_t in = begin; in < end; ++in) {
      links.push_back({out, in, in - begin, end - begin});
    }
  }
  return {std::move(links), output, input};
}

/// result = average over windows, or its backward with inverted links.
void average(ExecContext& ctx, Isa isa, const Links& rows, const Links& columns, ConstView operand,
             View result) {
  for_pixels<PoolTap>(
      ctx, result.shape[0], result.shape[1], rows, columns,
      [&](PoolTap& tap, std::int64_t at, const Link& row, const Link& column) {
        tap.values = operand.f32() + at;
        tap.weight = 1.0F / static_cast<float>(row.count * column.count);
      },
      [&](const PoolTap* taps, std::int64_t count, std::int64_t at) {
        kernels_of(isa).pool.weighted_sum(taps, count, result.shape[1], result.f32() + at);
      });
}

}  // namespace

void run(const Call& call, const MaxPool2d& op) {
  const Pool2dShape& shape = op.shape;
  for_pixels<PoolTap>(
      call.ctx, shape.n, shape.c, row_links(shape), column_links(shape),
      [&](PoolTap& tap, std::int64_t at, const Link& row, const Link& column) {
        tap.values = op.x.f32() + at;
        tap.number = static_cast<std::uint8_t>(row.tap * shape.s + column.tap);
      },
      [&](const PoolTap* taps, std::int64_t count, std::int64_t at) {
        std::uint8_t* numbers = op.indices.defined() ? op.indices.as<std::uint8_t>() + at : nullptr;
        kernels_of(call.isa).pool.max(taps, count, shape.c, op.y.f32() + at, numbers);
      });
}

void run(const Call& call, const MaxPool2dBackward& op) {
  const Pool2dShape& shape = op.shape;
  for_pixels<PoolTap>(
      call.ctx, shape.n, shape.c, row_links(shape).inverse(), column_links(shape).inverse(),
      [&](PoolTap& tap, std::int64_t at, const Link& row, const Link& column) {
        tap.values = op.dy.f32() + at;
        tap.indices = op.indices.as<std::uint8_t>() + at;
        tap.number = static_cast<std::uint8_t>(row.tap * shape.s + column.tap);
      },
      [&](const PoolTap* taps, std::int64_t count, std::int64_t at) {
        kernels_of(call.isa).pool.max_backward(taps, count, shape.c, op.dx.f32() + at);
      });
}

void run(const Call& call, const AvgPool2d& op) {
  average(call.ctx, call.isa, row_links(op.shape), column_links(op.shape), op.x, op.y);
}

void run(const Call& call, const AvgPool2dBackward& op) {
  average(call.ctx, call.isa, row_links(op.shape).inverse(), column_links(op.shape).inverse(),
          op.dy, op.dx);
}

void run(const Call& call, const AdaptiveAvgPool2d& op) {
  average(call.ctx, call.isa, adaptive_links(op.x.shape[2], op.y.shape[2]),
          adaptive_links(op.x.shape[3], op.y.shape[3]), op.x, op.y);
}

void run(const Call& call, const AdaptiveAvgPool2dBackward& op) {
  average(call.ctx, call.isa, adaptive_links(op.dx.shape[2], op.dy.shape[2]).inverse(),
          adaptive_links(op.dx.shape[3], op.dy.shape[3]).inverse(), op.dy, op.dx);
}

}  // namespace hanok::cpu
