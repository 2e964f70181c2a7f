// Winograd's minimal filtering for 3x3 with stride 2 and padding 1: 16 outputs from 81 products
// instead of 144.
//
// Winograd needs stride 1, so the image is split by the parity of its rows and of its columns.
// Along one axis
//
//   y(p) = w0 x(2p - 1) + w1 x(2p) + w2 x(2p + 1)
//        = [w0 o(p) + w2 o(p + 1)] + w1 e(p)           o(p) = x(2p - 1), e(p) = x(2p)
//
// a filter of two taps with stride 1 over the odd pixels and one of a single tap over the even
// ones. F(4, 2) takes 5 products for 4 outputs of the first. The second uses the same points: as a
// polynomial its filter is the constant w1, which vanishes at infinity, so that it takes 4. In two
// dimensions that makes four phases with 5 * 5 + 5 * 4 + 4 * 5 + 4 * 4 = 81 products, summed over
// phases and channels before one inverse transform.
//
// Backward data turns this round: dx(2p + 1) = w2 dy(p) + w0 dy(p + 1), dx(2p) = w1 dy(p), so the
// transform of dy is common and each phase has its own inverse. The gradient of w is the transposed
// map, as for stride 1 (winograd4x4.cpp).
//
// The points 0, 3/4, -3/4, 3/2 and infinity: with 0, 1, -1, 2 errors are a quarter larger, the
// worst ones three times, and these coefficients are still exact in binary.
//
//   B^T = [27/32 -9/16  -3/2    1   0]   G = [ 32/27    0  ]   A^T = [1   1      1     1    0]
//         [  0   -9/8   -3/4    1   0]       [-32/27  -8/9 ]         [0  3/4   -3/4   3/2   0]
//         [  0    9/8   -9/4    1   0]       [-32/81   8/27]         [0  9/16   9/16  9/4   0]
//         [  0   -9/16    0     1   0]       [ 32/81  16/27]         [0 27/64 -27/64 27/8   1]
//         [  0   27/32 -9/16  -3/2  1]       [   0      1  ]
//
// A single tap uses the first four rows of B^T (and of these the first four columns), the first
// column of G and the first four columns of A^T.
#include "hanok/kernels/cpu/isa/winograd_strided.h"

#include "hanok/kernels/cpu/isa/isa_kernels.h"
#include "hanok/kernels/cpu/isa/winograd_transforms.h"

namespace hanok::cpu::HANOK_ISA {
namespace {

constexpr int kT = kWinogradTile;
constexpr int kD = kStridedSide;

// ---- one-dimensional maps; kN: points, 5 for two taps, 4 for one ----

// B^T d: kN -> kN.
template <int kN>
inline void map_strided_input(const Vec* d, int s, Vec* out, int t) {
  const Vec r = broadcast(3.0F / 2);
  const Vec e1 = sub_mul(d[s], r, d[0]);
  const Vec e2 = sub_mul(d[2 * s], r, d[s]);
  const Vec e3 = sub_mul(d[3 * s], r, d[2 * s]);
  out[0] = sub_mul(e3, broadcast(9.0F / 16), e1);
  out[t] = mul_add(broadcast(3.0F / 4), e2, e3);
  out[2 * t] = sub_mul(e3, broadcast(3.0F / 4), e2);
  out[3 * t] = sub_mul(d[3 * s], broadcast(9.0F / 16), d[s]);
  if constexpr (kN == 5) {
    const Vec e4 = sub_mul(d[4 * s], r, d[3 * s]);
    out[4 * t] = sub_mul(e4, broadcast(9.0F / 16), e2);
  }
}

// A^T m: kN -> 4.
template <int kN>
inline void map_strided_output(const Vec* m, int s, Vec* out, int t) {
  const Vec even = m[s] + m[2 * s];
  const Vec odd = m[s] - m[2 * s];
  out[0] = m[0] + (even + m[3 * s]);
  out[t] = mul_add(broadcast(3.0F / 4), odd, broadcast(3.0F / 2) * m[3 * s]);
  out[2 * t] = mul_add(broadcast(9.0F / 16), even, broadcast(9.0F / 4) * m[3 * s]);
  const Vec last = mul_add(broadcast(27.0F / 64), odd, broadcast(27.0F / 8) * m[3 * s]);
  out[3 * t] = kN == 5 ? last + m[4 * s] : last;
}

// A y: 4 -> 5.
inline void map_strided_gradient(const Vec* y, int s, Vec* out, int t) {
  const Vec even = mul_add(broadcast(9.0F / 16), y[2 * s], y[0]);
  const Vec odd = mul_add(broadcast(27.0F / 64), y[3 * s], broadcast(3.0F / 4) * y[s]);
  const Vec odd3 = mul_add(broadcast(27.0F / 8), y[3 * s], broadcast(3.0F / 2) * y[s]);
  out[0] = y[0];
  out[t] = even + odd;
  out[2 * t] = even - odd;
  out[3 * t] = mul_add(broadcast(9.0F / 4), y[2 * s], y[0]) + odd3;
  out[4 * t] = y[3 * s];
}

// G g: kN - 3 taps -> kN.
template <int kN>
inline void map_strided_filter(const Vec* g, int s, Vec* out, int t) {
  if constexpr (kN == 4) {
    out[0] = broadcast(32.0F / 27) * g[0];
    out[t] = broadcast(-32.0F / 27) * g[0];
    out[2 * t] = broadcast(-32.0F / 81) * g[0];
    out[3 * t] = broadcast(32.0F / 81) * g[0];
  } else {
    out[0] = broadcast(32.0F / 27) * g[0];
    out[t] = sub_mul(broadcast(-8.0F / 9) * g[s], broadcast(32.0F / 27), g[0]);
    out[2 * t] = sub_mul(broadcast(8.0F / 27) * g[s], broadcast(32.0F / 81), g[0]);
    out[3 * t] = mul_add(broadcast(32.0F / 81), g[0], broadcast(16.0F / 27) * g[s]);
    out[4 * t] = g[s];
  }
}

// G^T u: kN -> kN - 3.
template <int kN>
inline void map_strided_filter_gradient(const Vec* u, int s, Vec* out, int t) {
  const Vec outer = broadcast(32.0F / 27) * (u[0] - u[s]);
  out[0] = mul_add(broadcast(32.0F / 81), u[3 * s] - u[2 * s], outer);
  if constexpr (kN == 5) {
    const Vec near = mul_add(broadcast(8.0F / 27), u[2 * s], broadcast(-8.0F / 9) * u[s]);
    out[t] = mul_add(broadcast(16.0F / 27), u[3 * s], near) + u[4 * s];
  }
}

// ---- forward ----

// One phase of kRows x kColumns pixels, two apart.
template <int kRows, int kColumns>
void transform_phase(const WinogradInputBlock& b, const WinogradTile& tile,
                     const StridedChannels& channels, int64_t ahead, float* out) {
  constexpr StridedPhase kPhase{kD - kRows, kD - kColumns};
  const float* pixels[kRows * kColumns];
  for (int r = 0; r < kRows; ++r) {
    for (int s = 0; s < kColumns; ++s) {
      const int64_t h = 2 * (tile.h + r) - 1 + kPhase.row;
      const int64_t w = 2 * (tile.w + s) - 1 + kPhase.column;
      const bool inside = h >= 0 && h < b.height && w >= 0 && w < b.width;
      pixels[r * kColumns + s] =
          inside ? b.x + ((tile.n * b.height + h) * b.width + w) * b.channels : nullptr;
    }
  }
  for (int64_t begin = 0; begin < channels.count; begin += channels.block) {
    float* to[kRows * kColumns];
    for (int p = 0; p < kRows * kColumns; ++p) {
      const int64_t point = p / kColumns * kD + p % kColumns;
      to[p] = out + point * b.point_stride + channels.offset(point, kPhase, begin);
    }
    const int64_t size = channels.block_size(begin);
    for (int64_t c = 0; c < size; c += kLanes) {
      if (ahead != 0 && c % kPanelColumns == 0) {
        fetch_pixels(pixels, kRows * kColumns, ahead, begin + c);
      }
      Vec columns[kRows * kColumns];
      for (int s = 0; s < kColumns; ++s) {
        Vec d[kRows];
        for (int r = 0; r < kRows; ++r) {
          const float* pixel = pixels[r * kColumns + s];
          d[r] = pixel ? load_channels(pixel + begin + c, size - c) : Vec{};
        }
        map_strided_input<kRows>(d, 1, columns + s, kColumns);
      }
      for (int p = 0; p < kRows; ++p) {
        Vec row[kColumns];
        map_strided_input<kColumns>(columns + p * kColumns, 1, row, 1);
        for (int q = 0; q < kColumns; ++q) {
          store_channels(to[p * kColumns + q] + c, row[q], size - c);
        }
      }
    }
  }
}

void input_transform(const WinogradInputBlock& b, const StridedChannels& channels) {
  for (int64_t t = 0; t < b.tile_count; ++t) {
    const int64_t ahead = next_tile_ahead(b, t, 2);
    float* out = b.out + t * b.tile_stride;
    transform_phase<5, 5>(b, b.tiles[t], channels, ahead, out);
    transform_phase<5, 4>(b, b.tiles[t], channels, ahead, out);
    transform_phase<4, 5>(b, b.tiles[t], channels, ahead, out);
    transform_phase<4, 4>(b, b.tiles[t], channels, ahead, out);
  }
}

void output_transform(const WinogradOutputBlock& b) {
  output_tiles<kT, kD, map_strided_output<kD>>(b);
}

// G g G^T of one phase: g[row][column] of the filter's taps that are its; a lane is a filter or a
// channel.
template <int kRows, int kColumns>
inline void filter_phase(const Vec* taps, bool turned, Vec* u) {
  constexpr int kTapRows = kRows - 3;
  constexpr int kTapColumns = kColumns - 3;
  Vec columns[kRows * kTapColumns];
  for (int s = 0; s < kTapColumns; ++s) {
    Vec g[2];
    for (int r = 0; r < kTapRows; ++r) {
      const int row = kTapRows == 1 ? 1 : turned ? 2 - 2 * r : 2 * r;
      const int column = kTapColumns == 1 ? 1 : turned ? 2 - 2 * s : 2 * s;
      g[r] = taps[3 * row + column];
    }
    map_strided_filter<kRows>(g, 1, columns + s, kTapColumns);
  }
  for (int p = 0; p < kRows; ++p) {
    map_strided_filter<kColumns>(columns + p * kTapColumns, 1, u + p * kColumns, 1);
  }
}

// Where the products of a phase lie in out[point][phase][row][lane].
template <int kRows, int kColumns>
void forward_offsets(int64_t rows, int64_t* offsets) {
  constexpr StridedPhase kPhase{kD - kRows, kD - kColumns};
  for (int p = 0; p < kRows * kColumns; ++p) {
    const int64_t point = p / kColumns * kD + p % kColumns;
    offsets[p] = strided_u_offset(point, rows) + strided_rank(point, kPhase) * rows * kPanelColumns;
  }
}

template <int kRows, int kColumns>
inline void store_forward_phase(const Vec* taps, const int64_t* offsets, float* out) {
  Vec u[kRows * kColumns];
  filter_phase<kRows, kColumns>(taps, false, u);
#pragma GCC unroll 25
  for (int p = 0; p < kRows * kColumns; ++p) store(out + offsets[p], u[p]);
}

void pack_forward(const float* w, int64_t channels, int64_t rows, int64_t columns, float* out) {
  int64_t offsets[kStridedPhases][kStridedPoints];
  forward_offsets<5, 5>(rows, offsets[0]);
  forward_offsets<5, 4>(rows, offsets[1]);
  forward_offsets<4, 5>(rows, offsets[2]);
  forward_offsets<4, 4>(rows, offsets[3]);
  constexpr int64_t kParts = kPanelColumns / kLanes;
  for (int64_t row = 0; row < rows; row += kLanes) {
    Vec g[kParts][kLanes][9];
    for (int64_t i = 0; i < kParts; ++i) {
      turn_filters(w, channels, row, rows - row, i * kLanes, columns, g[i]);
    }
    for (int64_t l = 0; l < channels_of_vector(rows - row); ++l) {
      for (int64_t i = 0; i < kParts; ++i) {  // one after the other: together a cache line
        float* at = out + (row + l) * kPanelColumns + i * kLanes;
        store_forward_phase<5, 5>(g[i][l], offsets[0], at);
        store_forward_phase<5, 4>(g[i][l], offsets[1], at);
        store_forward_phase<4, 5>(g[i][l], offsets[2], at);
        store_forward_phase<4, 4>(g[i][l], offsets[3], at);
      }
    }
  }
}

// ---- backward data ----

void gradient_input_transform(const WinogradInputBlock& b) {
  transform_tiles<kD, kD, map_strided_input<kD>>(b, 0, 0);
}

template <int kRows, int kColumns>
void pack_phase(const float* w, int64_t channels, int64_t rows, int64_t columns, float* out) {
  for (int64_t row = 0; row < rows; ++row) {
    fetch_filter_ahead(w, channels, row, rows);
    for (int64_t column = 0; column < kPanelColumns; column += kLanes) {
      Vec g[9];
      for (int64_t tap = 0; tap < 9; ++tap) {
        g[tap] = column < columns
                     ? load_channels(w + (row * 9 + tap) * channels + column, columns - column)
                     : Vec{};
      }
      Vec u[kRows * kColumns];
      filter_phase<kRows, kColumns>(g, true, u);
      for (int p = 0; p < kRows * kColumns; ++p) {
        store(out + p * winograd_point_floats(rows) + row * kPanelColumns + column, u[p]);
      }
    }
  }
}

void pack_backward_data(const float* w, int64_t channels, int64_t rows, int64_t columns,
                        StridedPhase phase, float* out) {
  if (phase.row == 0) {
    phase.column == 0 ? pack_phase<5, 5>(w, channels, rows, columns, out)
                      : pack_phase<5, 4>(w, channels, rows, columns, out);
  } else {
    phase.column == 0 ? pack_phase<4, 5>(w, channels, rows, columns, out)
                      : pack_phase<4, 4>(w, channels, rows, columns, out);
  }
}

// Outputs (r, s) of the tile are pixels (2r + 1, 2s + 1) of dx from twice the tile on; one less
// along the axes of a middle tap.
template <int kRows, int kColumns>
void phase_outputs(const WinogradOutputBlock& b) {
  constexpr int64_t kRow = kRows - kT;
  constexpr int64_t kColumn = kColumns - kT;
  for (int64_t t = 0; t < b.tile_count; ++t) {
    const WinogradTile& tile = b.tiles[t];
    const int64_t h0 = 2 * tile.h + kRow;
    const int64_t w0 = 2 * tile.w + kColumn;
    const int rows = static_cast<int>(min_of(kT, (b.height - h0 + 1) / 2));
    const int columns = static_cast<int>(min_of(kT, (b.width - w0 + 1) / 2));
    for (int64_t c = 0; c < b.columns; c += kLanes) {
      const float* m = b.m + t * b.tile_stride + c;
      float* y = b.y + ((tile.n * b.height + h0) * b.width + w0) * b.channels + c;
      Vec half[kT * kColumns];
      for (int q = 0; q < kColumns; ++q) {
        Vec d[kRows];
        for (int p = 0; p < kRows; ++p) {
          d[p] = load_channels(m + (p * kColumns + q) * b.point_stride, b.columns - c);
        }
        map_strided_output<kRows>(d, 1, half + q, kColumns);
      }
      for (int r = static_cast<int>(tile.skip_h); r < rows; ++r) {
        Vec out[kT];
        map_strided_output<kColumns>(half + r * kColumns, 1, out, 1);
        for (int s = static_cast<int>(tile.skip_w); s < columns; ++s) {
          store_channels(y + 2 * (r * b.width + s) * b.channels, out[s], b.columns - c);
        }
      }
    }
  }
}

void phase_output_transform(const WinogradOutputBlock& b, StridedPhase phase) {
  if (phase.row == 0) {
    phase.column == 0 ? phase_outputs<5, 5>(b) : phase_outputs<5, 4>(b);
  } else {
    phase.column == 0 ? phase_outputs<4, 5>(b) : phase_outputs<4, 4>(b);
  }
}

// ---- backward weights ----

void gradient_transform(const WinogradInputBlock& b) {
  transform_tiles<kT, kD, map_strided_gradient>(b, 0, 0);
}

template <int kRows, int kColumns>
void phase_weights(const float* du, int64_t point_stride, int64_t row_stride, int64_t rows,
                   int64_t columns, float* dw, int64_t channels) {
  constexpr int kTapRows = kRows - 3;
  constexpr int kTapColumns = kColumns - 3;
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t c = 0; c < columns; c += kLanes) {
      const float* at = du + row * row_stride + c;
      Vec half[kTapRows * kColumns];
      for (int q = 0; q < kColumns; ++q) {
        Vec u[kRows];
        for (int p = 0; p < kRows; ++p) {
          u[p] = load_channels(at + (p * kColumns + q) * point_stride, columns - c);
        }
        map_strided_filter_gradient<kRows>(u, 1, half + q, kColumns);
      }
      for (int r = 0; r < kTapRows; ++r) {
        Vec taps[kTapColumns];
        map_strided_filter_gradient<kColumns>(half + r * kColumns, 1, taps, 1);
        for (int s = 0; s < kTapColumns; ++s) {
          const int tap = 3 * (kTapRows == 1 ? 1 : 2 * r) + (kTapColumns == 1 ? 1 : 2 * s);
          store_channels(dw + (row * 9 + tap) * channels + c, taps[s], columns - c);
        }
      }
    }
  }
}

void weights_transform(const float* du, int64_t point_stride, int64_t row_stride, int64_t rows,
                       int64_t columns, StridedPhase phase, float* dw, int64_t channels) {
  if (phase.row == 0) {
    phase.column == 0
        ? phase_weights<5, 5>(du, point_stride, row_stride, rows, columns, dw, channels)
        : phase_weights<5, 4>(du, point_stride, row_stride, rows, columns, dw, channels);
  } else {
    phase.column == 0
        ? phase_weights<4, 5>(du, point_stride, row_stride, rows, columns, dw, channels)
        : phase_weights<4, 4>(du, point_stride, row_stride, rows, columns, dw, channels);
  }
}

}  // namespace

const WinogradStridedKernels winograd_strided = {
    input_transform,    output_transform,       pack_forward,       gradient_input_transform,
    pack_backward_data, phase_output_transform, gradient_transform, weights_transform};

}  // namespace hanok::cpu::HANOK_ISA
