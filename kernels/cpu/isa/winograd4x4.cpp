// Winograd's minimal filtering F(4x4, 3x3): 16 outputs of a 3x3 convolution from 36 products
// instead of 144.
//
//   Y = A^T [ (G g G^T) . (B^T d B) ] A          d: 6x6 inputs, g: 3x3 filter, Y: 4x4 outputs
//
// summed over input channels between the brackets, which makes 36 small matrix products, one for
// each point (conv2d/winograd4x4.cpp). Its transposed maps give the gradients:
//   dw = G^T [ (A dy A^T) . (B^T d B) ] G         summed over tiles between the brackets
//   dx = the forward map with the filter turned by 180 degrees.
//
// The algorithm evaluates polynomials at the points 0, 2/3, -2/3, 3/2, -3/2 and infinity. With the
// usual points 0, +-1, +-2 the matrices hold numbers up to 8 and lose a decimal digit; these lose a
// third of that. The row factors of Cook-Toom are moved into G, so that B and A stay small:
//
//   B^T = [1    0   -97/36   0    1   0]   G = [  1      0      0  ]
//         [0   3/2    9/4  -2/3  -1   0]       [81/130  27/65 18/65]
//         [0  -3/2    9/4   2/3  -1   0]       [81/130 -27/65 18/65]
//         [0  -2/3   -4/9   3/2   1   0]       [ 8/65   12/65 18/65]
//         [0   2/3   -4/9  -3/2   1   0]       [ 8/65  -12/65 18/65]
//         [0    1      0  -97/36  0   1]       [  0      0      1  ]
//
//   A^T = [1   1    1     1     1    0]
//         [0  2/3 -2/3   3/2  -3/2   0]
//         [0  4/9  4/9   9/4   9/4   0]
//         [0  8/27 -8/27 27/8 -27/8  1]
//
// Points come in pairs +-p, so a pair of rows is an even part plus or minus an odd part. Channels
// are the vector dimension (NHWC): the transforms are plain arithmetic on vectors of channels,
// 168 operations for the input and 120 for the output of a tile, against 36 * C * K / 8
// multiply-adds between them.
//
// Winograd, "Arithmetic complexity of computations", 1980; Lavin, Gray, "Fast algorithms for
// convolutional neural networks", CVPR 2016; Barabasz et al., "Error analysis and improving the
// accuracy of Winograd convolution", ACM TOMS 2020 (choice of points).
#include "hanok/kernels/cpu/isa/isa_kernels.h"
#include "hanok/kernels/cpu/isa/winograd_transforms.h"

namespace hanok::cpu::HANOK_ISA {
namespace {

constexpr int kT = kWinogradTile;
constexpr int kD = kWinogradInput;

// ---- one-dimensional maps (those of forward: winograd_transforms.h) ----

// A y: 4 -> 6, the transpose of map_output.
inline void map_gradient(const Vec* y, int s, Vec* out, int t) {
  const Vec even1 = mul_add(broadcast(4.0F / 9), y[2 * s], y[0]);
  const Vec odd1 = mul_add(broadcast(8.0F / 27), y[3 * s], broadcast(2.0F / 3) * y[s]);
  const Vec even2 = mul_add(broadcast(9.0F / 4), y[2 * s], y[0]);
  const Vec odd2 = mul_add(broadcast(27.0F / 8), y[3 * s], broadcast(3.0F / 2) * y[s]);
  out[0] = y[0];
  store_pairs({even1, odd1, even2, odd2}, out, t);
  out[5 * t] = y[3 * s];
}

// G g: 3 -> 6.
inline void map_filter(const Vec* g, int s, Vec* out, int t) {
  const Vec last = broadcast(18.0F / 65) * g[2 * s];
  const Vec even1 = mul_add(broadcast(81.0F / 130), g[0], last);
  const Vec odd1 = broadcast(27.0F / 65) * g[s];
  const Vec even2 = mul_add(broadcast(8.0F / 65), g[0], last);
  const Vec odd2 = broadcast(12.0F / 65) * g[s];
  out[0] = g[0];
  store_pairs({even1, odd1, even2, odd2}, out, t);
  out[5 * t] = g[2 * s];
}

// G^T u: 6 -> 3, its transpose.
inline void map_filter_gradient(const Vec* u, int s, Vec* out, int t) {
  const auto [even1, odd1, even2, odd2] = load_pairs(u, s);
  out[0] = mul_add(broadcast(81.0F / 130), even1, mul_add(broadcast(8.0F / 65), even2, u[0]));
  out[t] = mul_add(broadcast(27.0F / 65), odd1, broadcast(12.0F / 65) * odd2);
  out[2 * t] = mul_add(broadcast(18.0F / 65), even1 + even2, u[5 * s]);
}

// ---- two-dimensional maps ----

void input_transform(const WinogradInputBlock& b) {
  transform_tiles<kD, kD, map_input>(b, b.pad_h, b.pad_w);
}

void output_transform(const WinogradOutputBlock& b) { output_tiles<kT, kD, map_output>(b); }

void gradient_transform(const WinogradInputBlock& b) {
  transform_tiles<kT, kD, map_gradient>(b, 0, 0);
}

// ---- weights ----

void pack_forward(const float* w, int64_t channels, int64_t rows, int64_t columns, float* out) {
  pack_filters<kD, map_filter>(w, channels, rows, columns, out);
}

void pack_backward_data(const float* w, int64_t channels, int64_t rows, int64_t columns,
                        float* out) {
  for (int64_t row = 0; row < rows; ++row) {
    fetch_filter_ahead(w, channels, row, rows);
    for (int64_t column = 0; column < kPanelColumns; column += kLanes) {
      Vec g[9];
      for (int64_t tap = 0; tap < 9; ++tap) {
        g[tap] = column < columns
                     ? load_channels(w + (row * 9 + 8 - tap) * channels + column, columns - column)
                     : Vec{};
      }
      Vec u[kWinogradPoints];
      transform_filter<kD, map_filter>(g, u);
      store_filter<kD>(u, rows, row, column, out);
    }
  }
}

void weights_transform(const float* du, int64_t point_stride, int64_t row_stride, int64_t rows,
                       int64_t columns, float* dw, int64_t channels) {
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t c = 0; c < columns; c += kLanes) {
      Vec half[3 * kD];  // [3 rows][6 points]
      for (int q = 0; q < kD; ++q) {
        Vec u[kD];
        for (int p = 0; p < kD; ++p) {
          u[p] =
              load_channels(du + (p * kD + q) * point_stride + row * row_stride + c, columns - c);
        }
        map_filter_gradient(u, 1, half + q, kD);
      }
      for (int r = 0; r < 3; ++r) {
        Vec taps[3];
        map_filter_gradient(half + r * kD, 1, taps, 1);
        for (int s = 0; s < 3; ++s) {
          store_channels(dw + (row * 9 + r * 3 + s) * channels + c, taps[s], columns - c);
        }
      }
    }
  }
}

}  // namespace

const Winograd4x4Kernels winograd4x4 = {input_transform,    output_transform,   pack_forward,
                                        pack_backward_data, gradient_transform, weights_transform};

}  // namespace hanok::cpu::HANOK_ISA
