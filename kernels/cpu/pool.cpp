// Pooling in both directions is one pattern: each pixel of the result depends on a list of pixels
// of the operand, for all channels alike. Windows are products of a row and a column range, so the
// lists are made for each axis once a call. Backward is the same with the links inverted: a pixel
// gathers from the windows that cover it, and tasks never write the same element.
#include "kernels/cpu/pool.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "kernels/cpu/isa/pool.h"

namespace hanok::cpu {
namespace {

constexpr std::int64_t kGrain = 16384;  // floats of the result a task, about

const PoolKernels& kernels(Isa isa) { return isa == Isa::Avx2 ? avx2::pool : portable::pool; }

/// Along one axis: position `operand` takes part in position `result`.
struct Link {
  std::int64_t result, operand;
  std::int64_t tap;    // number within the window
  std::int64_t count;  // positions that an average over this window divides by
};

/// The links of one axis in order of `result`.
class Links {
 public:
  Links(std::vector<Link> links, std::int64_t results, std::int64_t operands)
      : links_(std::move(links)), operands_(operands) {
    first_.resize(static_cast<std::size_t>(results) + 1);
    for (const Link& link : links_) {
      ++first_[static_cast<std::size_t>(link.result) + 1];
    }
    for (std::size_t i = 1; i < first_.size(); ++i) {
      first_[i] += first_[i - 1];
    }
  }

  std::int64_t results() const { return static_cast<std::int64_t>(first_.size()) - 1; }
  std::int64_t operands() const { return operands_; }
  const Link* begin(std::int64_t result) const {
    return links_.data() + first_[static_cast<std::size_t>(result)];
  }
  const Link* end(std::int64_t result) const { return begin(result + 1); }

  /// Results and operands exchanged.
  Links inverse() const {
    std::vector<Link> swapped = links_;
    for (Link& link : swapped) {
      std::swap(link.result, link.operand);
    }
    std::stable_sort(swapped.begin(), swapped.end(),
                     [](const Link& a, const Link& b) { return a.result < b.result; });
    return {std::move(swapped), operands_, results()};
  }

 private:
  std::vector<Link> links_;
  std::vector<std::int64_t> first_;
  std::int64_t operands_;
};

/// Windows of `kernel` taps, all within the padded input. Averages divide by the taps within the
/// input or, with `count_pad`, by all.
Links window_links(std::int64_t input, std::int64_t output, std::int64_t kernel,
                   std::int64_t stride, std::int64_t pad, std::int64_t dilation, bool count_pad) {
  std::vector<Link> links;
  for (std::int64_t out = 0; out < output; ++out) {
    const std::int64_t start = out * stride - pad;
    const std::size_t first = links.size();
    for (std::int64_t tap = 0; tap < kernel; ++tap) {
      const std::int64_t in = start + tap * dilation;
      if (in >= 0 && in < input) {
        links.push_back({out, in, tap, 0});
      }
    }
    const auto count = count_pad ? kernel : static_cast<std::int64_t>(links.size() - first);
    for (std::size_t i = first; i < links.size(); ++i) {
      links[i].count = count;
    }
  }
  return {std::move(links), output, input};
}

Links row_links(const Pool2dShape& s) {
  const Window2d& w = s.window;
  return window_links(s.h, s.p(), s.r, w.stride_h, w.pad_h, w.dilation_h, s.count_include_pad);
}

Links column_links(const Pool2dShape& s) {
  const Window2d& w = s.window;
  return window_links(s.w, s.q(), s.s, w.stride_w, w.pad_w, w.dilation_w, s.count_include_pad);
}

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

/// For all pixels of a result [images, rows.results(), columns.results(), channels] calls
/// fill(tap, operand offset, row link, column link) for each pixel of the operand that takes part
/// and then finish(taps, count, result offset).
template <typename Fill, typename Finish>
void for_pixels(ExecContext& ctx, std::int64_t images, std::int64_t channels, const Links& rows,
                const Links& columns, const Fill& fill, const Finish& finish) {
  const std::int64_t row_size = std::max<std::int64_t>(columns.results() * channels, 1);
  const std::int64_t grain = std::max<std::int64_t>(kGrain / row_size, 1);
  ctx.pool.run_blocks(images * rows.results(), grain, [&](std::int64_t begin, std::int64_t end) {
    std::vector<PoolTap> taps;  // keeps its memory from pixel to pixel
    for (std::int64_t line = begin; line < end; ++line) {
      const std::int64_t image = line / rows.results() * rows.operands();
      const std::int64_t row = line % rows.results();
      for (std::int64_t column = 0; column < columns.results(); ++column) {
        taps.clear();
        for (const Link* r = rows.begin(row); r != rows.end(row); ++r) {
          const std::int64_t operand_line = (image + r->operand) * columns.operands();
          for (const Link* c = columns.begin(column); c != columns.end(column); ++c) {
            fill(taps.emplace_back(), (operand_line + c->operand) * channels, *r, *c);
          }
        }
        finish(taps.data(), static_cast<std::int64_t>(taps.size()),
               (line * columns.results() + column) * channels);
      }
    }
  });
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
        kernels(isa).weighted_sum(taps, count, result.shape[1], result.f32() + at);
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
        kernels(isa).max(taps, count, shape.c, y.f32() + at, numbers);
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
        kernels(isa).max_backward(taps, count, shape.c, dx.f32() + at);
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
