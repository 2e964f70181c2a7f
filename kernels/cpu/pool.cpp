#include "hanok/kernels/cpu/pool.h"

#include <utility>
#include <vector>

#include "hanok/kernels/cpu/isa/isa_kernels.h"
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
  for_pixels(
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

void max_pool2d(ExecContext& ctx, Isa isa, const Pool2dShape& shape, ConstView x, View y,
                View indices) {
  for_pixels(
      ctx, shape.n, shape.c, row_links(shape), column_links(shape),
      [&](PoolTap& tap, std::int64_t at, const Link& row, const Link& column) {
        tap.values = x.f32() + at;
        tap.number = static_cast<std::uint8_t>(row.tap * shape.s + column.tap);
      },
      [&](const PoolTap* taps, std::int64_t count, std::int64_t at) {
        std::uint8_t* numbers = indices.defined() ? indices.as<std::uint8_t>() + at : nullptr;
        kernels_of(isa).pool.max(taps, count, shape.c, y.f32() + at, numbers);
      });
}

void max_pool2d_backward(ExecContext& ctx, Isa isa, const Pool2dShape& shape, ConstView dy,
                         ConstView indices, View dx) {
  for_pixels(
      ctx, shape.n, shape.c, row_links(shape).inverse(), column_links(shape).inverse(),
      [&](PoolTap& tap, std::int64_t at, const Link& row, const Link& column) {
        tap.values = dy.f32() + at;
        tap.indices = indices.as<std::uint8_t>() + at;
        tap.number = static_cast<std::uint8_t>(row.tap * shape.s + column.tap);
      },
      [&](const PoolTap* taps, std::int64_t count, std::int64_t at) {
        kernels_of(isa).pool.max_backward(taps, count, shape.c, dx.f32() + at);
      });
}

void avg_pool2d(ExecContext& ctx, Isa isa, const Pool2dShape& shape, ConstView x, View y) {
  average(ctx, isa, row_links(shape), column_links(shape), x, y);
}

void avg_pool2d_backward(ExecContext& ctx, Isa isa, const Pool2dShape& shape, ConstView dy,
                         View dx) {
  average(ctx, isa, row_links(shape).inverse(), column_links(shape).inverse(), dy, dx);
}

void adaptive_avg_pool2d(ExecContext& ctx, Isa isa, ConstView x, View y) {
  average(ctx, isa, adaptive_links(x.shape[2], y.shape[2]), adaptive_links(x.shape[3], y.shape[3]),
          x, y);
}

void adaptive_avg_pool2d_backward(ExecContext& ctx, Isa isa, ConstView dy, View dx) {
  average(ctx, isa, adaptive_links(dx.shape[2], dy.shape[2]).inverse(),
          adaptive_links(dx.shape[3], dy.shape[3]).inverse(), dy, dx);
}

}  // namespace hanok::cpu
