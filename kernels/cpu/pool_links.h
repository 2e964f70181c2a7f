// The windows of pooling as lists of taps, for all pooling kernels.
//
// Pooling in both directions is one pattern: each pixel of the result depends on a list of pixels
// of the operand, for all channels alike. Windows are products of a row and a column range, so the
// lists are made for each axis once a call. Backward is the same with the links inverted: a pixel
// gathers from the windows that cover it, and tasks never write the same element.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "hanok/kernels/conv2d.h"
#include "hanok/kernels/cpu/isa/pool.h"
#include "hanok/kernels/exec_context.h"

namespace hanok::cpu {

/// Along one axis: position `operand` takes part in position `result`.
struct Link {
  std::int64_t result, operand;
  std::int64_t tap;    // number within the window
  std::int64_t count;  // positions that an average over this window divides by
};

/// The links of one axis in order of `result`.
class Links {
 public:
  Links(std::vector<Link> links, std::int64_t results, std::int64_t operands);

  std::int64_t results() const { return static_cast<std::int64_t>(first_.size()) - 1; }
  std::int64_t operands() const { return operands_; }
  const Link* begin(std::int64_t result) const {
    return links_.data() + first_[static_cast<std::size_t>(result)];
  }
  const Link* end(std::int64_t result) const { return begin(result + 1); }

  /// Results and operands exchanged.
  Links inverse() const;

 private:
  std::vector<Link> links_;
  std::vector<std::int64_t> first_;
  std::int64_t operands_;
};

/// Links of the windows' rows and columns: result is the output, operand the input.
Links row_links(const Pool2dShape& shape);
Links column_links(const Pool2dShape& shape);

/// For all pixels of a result [images, rows.results(), columns.results(), channels] calls
/// fill(tap, operand offset, row link, column link) for each pixel of the operand that takes part
/// and then finish(taps, count, result offset).
template <typename Tap, typename Fill, typename Finish>
void for_pixels(ExecContext& ctx, std::int64_t images, std::int64_t channels, const Links& rows,
                const Links& columns, const Fill& fill, const Finish& finish) {
  const std::int64_t row_size = std::max<std::int64_t>(columns.results() * channels, 1);
  constexpr std::int64_t kGrain = 16384;  // floats of the result a task, about
  const std::int64_t grain = std::max<std::int64_t>(kGrain / row_size, 1);
  ctx.pool.run_blocks(images * rows.results(), grain, [&](std::int64_t begin, std::int64_t end) {
    std::vector<Tap> taps;  // reuses its memory from pixel to pixel
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

}  // namespace hanok::cpu
