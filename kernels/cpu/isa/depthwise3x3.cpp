// Channels are the vector dimension, 8 at a time; a window of columns slides along the row:
//   nine weights stay in registers
//   for each source column (two for each output pixel at stride 2)
//     for each of the filter's rows: load 8 channels once, add them to the outputs that they touch
//     one output is complete: epilogue, store
// At stride 1 a column touches three outputs, at stride 2 the odd ones two. So 3 (or 6) loads and a
// store serve 9 multiply-adds, and the FMA units are the limit: 4.5 cycles per 8 results, if the
// rows are in L2 or nearer. Nine weights, three sums and a source vector leave three registers for
// shift, zero and ceiling.
//
// A row is cut into pieces of some columns, whose three source rows stay in L1 while one vector of
// channels after the other passes over them: whole rows of 112 pixels and 96 channels lie a
// multiple of 4 KB apart and fall into the same sets (measured: 43 GFLOP/s a core instead of 77).
//
// Each sum takes its taps column by column whatever the piece, so the cut changes no bit.
//
// Weight gradients slide the same window over x, with nine sums and two neighbouring dy in
// registers.
#include "hanok/kernels/cpu/isa/depthwise3x3.h"

#include "hanok/kernels/cpu/isa/isa_kernels.h"
#include "hanok/kernels/cpu/isa/vector.h"

namespace hanok::cpu::HANOK_ISA {
namespace {

constexpr int64_t kPieceColumns = 28;
constexpr int64_t kLine = 16;  // floats of a cache line

int64_t min_of(int64_t a, int64_t b) { return a < b ? a : b; }

// What a strip of channels prefetches while it computes: with each pixel some lines, so that
// requests to memory are spread over the work. A line has 16 channels; of each pair of strips the
// first one prefetches source lines, the second one the rest.
struct Fetch {
  const float* source;  // line of the first pixel
  const float* outputs;

  Fetch(const Depthwise3x3Row& row, int64_t pixel, int64_t c, const float* y) {
    const int64_t column = pixel * row.stride * row.channels + c;
    const bool second = c % kLine != 0;
    source = row.x[0] + column;  // in L1
    outputs = y + pixel * row.channels + c;
    if (!row.ahead) return;
    if (row.stride == 2 || !second) source = row.ahead + (second ? row.x_row : 0) + column;
    if (second) outputs += row.y_row;
  }
};

// Always inline: g++ treats a function that only prefetches as free of side effects and removes its
// calls.
template <int kStride>
__attribute__((always_inline)) inline void fetch_pixel(Fetch& f, int64_t channels) {
  __builtin_prefetch(f.source);
  if (kStride == 2) __builtin_prefetch(f.source + channels);
  __builtin_prefetch(f.outputs, 1);
  f.source += kStride * channels;
  f.outputs += channels;
}

// One vector of channels of a piece.
template <int kRows>
struct Window {
  Vec w[kRows][3];
  const float* x[kRows];
  int64_t column = 0;  // floats from one source column to the next

  Window(const Depthwise3x3Row& row, int64_t first_column, int64_t c) : column(row.channels) {
#pragma GCC unroll 3
    for (int r = 0; r < kRows; ++r) {
      x[r] = row.x[r] + first_column * row.channels + c;
#pragma GCC unroll 3
      for (int s = 0; s < 3; ++s) w[r][s] = load(row.w[r] + s * row.tap_step + c);
    }
  }
};

// Stride 1. finish(sum, i) makes pixel i's result of its sum; `left` and `right` say whether the
// columns beside the piece are inside the source.
template <int kRows>
__attribute__((always_inline)) inline void slide1(Window<kRows>& f, int64_t pixels, bool left,
                                                  bool right, Vec shift, Fetch fetch, float* y,
                                                  int64_t y_step, const auto& finish) {
  Vec previous;
  Vec current = shift;
  Vec next;
  if (left) {
#pragma GCC unroll 3
    for (int r = 0; r < kRows; ++r) current = mul_add(load(f.x[r] - f.column), f.w[r][0], current);
  }
  next = shift;
#pragma GCC unroll 3
  for (int r = 0; r < kRows; ++r) {
    const Vec v = load(f.x[r]);
    current = mul_add(v, f.w[r][1], current);
    next = mul_add(v, f.w[r][0], next);
    f.x[r] += f.column;
  }
  for (int64_t i = 1; i < pixels; ++i) {
    previous = current;
    current = next;
    next = shift;
#pragma GCC unroll 3
    for (int r = 0; r < kRows; ++r) {
      const Vec v = load(f.x[r]);
      previous = mul_add(v, f.w[r][2], previous);
      current = mul_add(v, f.w[r][1], current);
      next = mul_add(v, f.w[r][0], next);
      f.x[r] += f.column;
    }
    fetch_pixel<1>(fetch, f.column);
    store(y, finish(previous, i - 1));
    y += y_step;
  }
  if (right) {
#pragma GCC unroll 3
    for (int r = 0; r < kRows; ++r) current = mul_add(load(f.x[r]), f.w[r][2], current);
  }
  fetch_pixel<1>(fetch, f.column);
  store(y, finish(current, pixels - 1));
}

// Stride 2.
template <int kRows>
__attribute__((always_inline)) inline void slide2(Window<kRows>& f, int64_t pixels, bool left,
                                                  bool right, Vec shift, Fetch fetch, float* y,
                                                  int64_t y_step, const auto& finish) {
  Vec current = shift;
  if (left) {
#pragma GCC unroll 3
    for (int r = 0; r < kRows; ++r) current = mul_add(load(f.x[r] - f.column), f.w[r][0], current);
  }
  for (int64_t i = 0; i < pixels; ++i) {
    Vec next = shift;
#pragma GCC unroll 3
    for (int r = 0; r < kRows; ++r) current = mul_add(load(f.x[r]), f.w[r][1], current);
    if (i + 1 < pixels || right) {
#pragma GCC unroll 3
      for (int r = 0; r < kRows; ++r) {
        const Vec v = load(f.x[r] + f.column);
        current = mul_add(v, f.w[r][2], current);
        next = mul_add(v, f.w[r][0], next);
        f.x[r] += 2 * f.column;
      }
    }
    fetch_pixel<2>(fetch, f.column);
    store(y, finish(current, i));
    y += y_step;
    current = next;
  }
}

// Pixels [pixel, pixel + pixels), channels [c, c + kLanes).
template <int kRows, int kStride>
void convolve_strip(const Depthwise3x3Row& row, const TileEpilogue& epilogue, int64_t pixel,
                    int64_t pixels, int64_t c, float* y) {
  Window<kRows> f(row, pixel * kStride, c);
  if (epilogue.scale) {
    const Vec scale = load(epilogue.scale + c);
#pragma GCC unroll 3
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 3
      for (int s = 0; s < 3; ++s) f.w[r][s] = f.w[r][s] * scale;
    }
  }
  const Vec shift = epilogue.shift ? load(epilogue.shift + c) : broadcast(0.0F);
  const bool left = pixel > 0;
  const bool right = pixel + pixels < row.pixels || row.right_inside;
  const Fetch fetch(row, pixel, c, y);
  const auto slide = [&](const auto& finish) {
    float* out = y + pixel * row.channels + c;
    if (kStride == 1) {
      slide1(f, pixels, left, right, shift, fetch, out, row.channels, finish);
    } else {
      slide2(f, pixels, left, right, shift, fetch, out, row.channels, finish);
    }
  };
  const Vec ceiling = broadcast(epilogue.ceiling);
  if (const float* residual = epilogue.residual) {
    residual += pixel * row.channels + c;
    slide([&](Vec v, int64_t i) {
      v = v + load(residual + i * row.channels);
      return epilogue.relu ? clip(v, ceiling) : v;
    });
  } else if (epilogue.relu) {
    slide([&](Vec v, int64_t) { return clip(v, ceiling); });
  } else {
    slide([](Vec v, int64_t) { return v; });
  }
}

// The channels beyond the last whole vector, one at a time, their taps in the same order.
void convolve_channel(const Depthwise3x3Row& row, const TileEpilogue& e, int64_t pixel, int64_t c,
                      float* y) {
  float value = e.shift ? e.shift[c] : 0;
  for (int64_t s = 0; s < 3; ++s) {
    if (s == 0 && pixel == 0) continue;
    if (s == 2 && pixel + 1 == row.pixels && !row.right_inside) continue;
    for (int64_t r = 0; r < row.rows; ++r) {
      const float w = row.w[r][s * row.tap_step + c] * (e.scale ? e.scale[c] : 1);
      value += row.x[r][(pixel * row.stride + s - 1) * row.channels + c] * w;
    }
  }
  const int64_t at = pixel * row.channels + c;
  if (e.residual) value += e.residual[at];
  if (e.relu) value = clip(value, e.ceiling);
  y[at] = value;
}

template <int kRows, int kStride>
void convolve_row(const Depthwise3x3Row& row, const TileEpilogue& e, float* y) {
  for (int64_t pixel = 0; pixel < row.pixels; pixel += kPieceColumns) {
    const int64_t pixels = min_of(kPieceColumns, row.pixels - pixel);
    int64_t c = 0;
    for (; c + kLanes <= row.channels; c += kLanes) {
      convolve_strip<kRows, kStride>(row, e, pixel, pixels, c, y);
    }
    for (; c < row.channels; ++c) {
      for (int64_t i = 0; i < pixels; ++i) convolve_channel(row, e, pixel + i, c, y);
    }
  }
}

void convolve(const Depthwise3x3Row& row, const TileEpilogue& e, float* y) {
  if (row.stride == 1) {
    switch (row.rows) {
      case 1:
        return convolve_row<1, 1>(row, e, y);
      case 2:
        return convolve_row<2, 1>(row, e, y);
      default:
        return convolve_row<3, 1>(row, e, y);
    }
  }
  switch (row.rows) {
    case 1:
      return convolve_row<1, 2>(row, e, y);
    case 2:
      return convolve_row<2, 2>(row, e, y);
    default:
      return convolve_row<3, 2>(row, e, y);
  }
}

// One vector of channels of a piece, for the gradients of the weights.
template <int kRows>
struct GradientWindow {
  Vec sum[kRows][3];
  const float* x[kRows];
  int64_t column;

  GradientWindow(const Depthwise3x3Row& row, int64_t first_column, int64_t c)
      : column(row.channels) {
#pragma GCC unroll 3
    for (int r = 0; r < kRows; ++r) {
      x[r] = row.x[r] + first_column * column + c;
      for (Vec& s : sum[r]) s = broadcast(0.0F);
    }
  }

  // The source column at x + offset is tap s of a pixel whose gradient is d.
  __attribute__((always_inline)) void add(int64_t offset, int s, Vec d) {
#pragma GCC unroll 3
    for (int r = 0; r < kRows; ++r) sum[r][s] = mul_add(load(x[r] + offset), d, sum[r][s]);
  }
  // It is the right tap of one pixel and the left tap of another.
  __attribute__((always_inline)) void add_shared(int64_t offset, Vec left, Vec right) {
#pragma GCC unroll 3
    for (int r = 0; r < kRows; ++r) {
      const Vec v = load(x[r] + offset);
      sum[r][2] = mul_add(v, left, sum[r][2]);
      sum[r][0] = mul_add(v, right, sum[r][0]);
    }
  }
  void advance(int64_t columns) {
#pragma GCC unroll 3
    for (int r = 0; r < kRows; ++r) x[r] += columns * column;
  }
};

template <int kRows>
__attribute__((always_inline)) inline void slide_gradients1(GradientWindow<kRows>& f,
                                                            const float* dy, int64_t pixels,
                                                            Fetch fetch) {
  Vec previous;
  Vec current = load(dy);
  f.add(0, 1, current);
  if (pixels > 1) f.add(0, 0, load(dy + f.column));
  for (int64_t i = 1; i + 1 < pixels; ++i) {
    f.advance(1);
    previous = current;
    dy += f.column;
    current = load(dy);
    const Vec next = load(dy + f.column);
    fetch_pixel<1>(fetch, f.column);
#pragma GCC unroll 3
    for (int r = 0; r < kRows; ++r) {
      const Vec v = load(f.x[r]);
      f.sum[r][2] = mul_add(v, previous, f.sum[r][2]);
      f.sum[r][1] = mul_add(v, current, f.sum[r][1]);
      f.sum[r][0] = mul_add(v, next, f.sum[r][0]);
    }
  }
  if (pixels > 1) {
    f.advance(1);
    f.add(0, 2, current);
    f.add(0, 1, load(dy + f.column));
  }
}

template <int kRows>
__attribute__((always_inline)) inline void slide_gradients2(GradientWindow<kRows>& f,
                                                            const float* dy, int64_t pixels,
                                                            Fetch fetch) {
  Vec current = load(dy);
  for (int64_t i = 1; i < pixels; ++i) {
    dy += f.column;
    const Vec next = load(dy);
    fetch_pixel<2>(fetch, f.column);
    f.add(0, 1, current);
    f.add_shared(f.column, current, next);
    f.advance(2);
    current = next;
  }
  f.add(0, 1, current);
}

// Pixels [pixel, pixel + pixels), channels [c, c + kLanes).
template <int kRows, int kStride>
void add_strip(const Depthwise3x3Row& row, const float* dy, int64_t pixel, int64_t pixels,
               int64_t c) {
  GradientWindow<kRows> f(row, pixel * kStride, c);
  const Fetch fetch(row, pixel, c, dy);
  dy += pixel * row.channels + c;
  if (pixel > 0) f.add(-f.column, 0, load(dy));
  if (kStride == 1) {
    slide_gradients1(f, dy, pixels, fetch);
  } else {
    slide_gradients2(f, dy, pixels, fetch);
  }
  if (pixel + pixels < row.pixels || row.right_inside) {
    f.add(f.column, 2, load(dy + (pixels - 1) * f.column));
  }
#pragma GCC unroll 3
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 3
    for (int s = 0; s < 3; ++s) {
      float* dw = row.dw[r] + s * row.tap_step + c;
      store(dw, load(dw) + f.sum[r][s]);
    }
  }
}

// The channels beyond the last whole vector, one at a time.
void add_channel(const Depthwise3x3Row& row, const float* dy, int64_t pixel, int64_t pixels,
                 int64_t c) {
  for (int64_t r = 0; r < row.rows; ++r) {
    for (int64_t s = 0; s < 3; ++s) {
      const int64_t first = s == 0 && pixel == 0 ? 1 : 0;
      const int64_t last =
          s == 2 && pixel + pixels == row.pixels && !row.right_inside ? pixels - 1 : pixels;
      float sum = 0;
      for (int64_t i = pixel + first; i < pixel + last; ++i) {
        sum += dy[i * row.channels + c] * row.x[r][(i * row.stride + s - 1) * row.channels + c];
      }
      row.dw[r][s * row.tap_step + c] += sum;
    }
  }
}

template <int kRows, int kStride>
void add_row(const Depthwise3x3Row& row, const float* dy) {
  for (int64_t pixel = 0; pixel < row.pixels; pixel += kPieceColumns) {
    const int64_t pixels = min_of(kPieceColumns, row.pixels - pixel);
    int64_t c = 0;
    for (; c + kLanes <= row.channels; c += kLanes) {
      add_strip<kRows, kStride>(row, dy, pixel, pixels, c);
    }
    for (; c < row.channels; ++c) add_channel(row, dy, pixel, pixels, c);
  }
}

void add_gradients(const Depthwise3x3Row& row, const float* dy) {
  if (row.stride == 1) {
    switch (row.rows) {
      case 1:
        return add_row<1, 1>(row, dy);
      case 2:
        return add_row<2, 1>(row, dy);
      default:
        return add_row<3, 1>(row, dy);
    }
  }
  switch (row.rows) {
    case 1:
      return add_row<1, 2>(row, dy);
    case 2:
      return add_row<2, 2>(row, dy);
    default:
      return add_row<3, 2>(row, dy);
  }
}

}  // namespace

const Depthwise3x3Kernels depthwise3x3 = {convolve, add_gradients};

}  // namespace hanok::cpu::HANOK_ISA
