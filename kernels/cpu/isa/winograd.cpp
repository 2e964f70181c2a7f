// Winograd's minimal filtering F(4x4, 3x3): 16 outputs of a 3x3 convolution from 36 products
// instead of 144.
//
//   Y = A^T [ (G g G^T) . (B^T d B) ] A          d: 6x6 inputs, g: 3x3 filter, Y: 4x4 outputs
//
// summed over input channels between the brackets, which makes 36 small matrix products, one for
// each point (conv2d_winograd.cpp). Its transposed maps give the gradients:
//   dw = G^T [ (A dy A^T) . (B^T d B) ] G         summed over tiles between the brackets
//   dx = the forward map with the filter turned by 180 degrees.
//
// The algorithm evaluates polynomials at the points 0, 2/3, -2/3, 3/2, -3/2 and infinity. With the
// usual points 0, +-1, +-2 the matrices hold numbers up to 8 and lose a decimal digit; these lose a
// third of that. The row factors of Cook-Toom are moved into G, so that B and A stay small:
//
//   B^T = [1    0   -97/36   0    1   0]   G = [  1      0      0  ]  A^T = [1   1    1     1     1
//   0]
//         [0   3/2    9/4  -2/3  -1   0]       [81/130  27/65 18/65]        [0  2/3 -2/3   3/2 -3/2
//         0] [0  -3/2    9/4   2/3  -1   0]       [81/130 -27/65 18/65]        [0  4/9  4/9   9/4
//         9/4   0] [0  -2/3   -4/9   3/2   1   0]       [ 8/65   12/65 18/65]        [0  8/27 -8/27
//         27/8 -27/8  1] [0   2/3   -4/9  -3/2   1   0]       [ 8/65  -12/65 18/65] [0    1      0
//         -97/36  0   1]       [  0      0      1  ]
//
// Points come in pairs +-p, so a pair of rows is an even part plus or minus an odd part. Channels
// are the vector dimension (NHWC): the transforms are plain arithmetic on vectors of 8 channels,
// 168 operations for the input and 120 for the output of a tile, against 36 * C * K / 8
// multiply-adds between them.
//
// Winograd, "Arithmetic complexity of computations", 1980; Lavin, Gray, "Fast algorithms for
// convolutional neural networks", CVPR 2016; Barabasz et al., "Error analysis and improving the
// accuracy of Winograd convolution", ACM TOMS 2020 (choice of points).
#include "kernels/cpu/isa/vector8.h"
#include "kernels/cpu/isa/winograd_kernels.h"

namespace hanok::cpu::HANOK_ISA {
namespace {

constexpr int kT = kWinogradTile;
constexpr int kD = kWinogradInput;

int64_t min_of(int64_t a, int64_t b) { return a < b ? a : b; }

// ---- one-dimensional maps on registers; s: distance between consecutive elements ----

// B^T d: 6 -> 6.
inline void map_input(const Vec8* d, int s, Vec8* out, int t) {
  const Vec8 even1 = mul_sub(all8(9.0F / 4), d[2 * s], d[4 * s]);
  const Vec8 odd1 = sub_mul(all8(3.0F / 2) * d[s], all8(2.0F / 3), d[3 * s]);
  const Vec8 even2 = sub_mul(d[4 * s], all8(4.0F / 9), d[2 * s]);
  const Vec8 odd2 = sub_mul(all8(3.0F / 2) * d[3 * s], all8(2.0F / 3), d[s]);
  out[0] = sub_mul(d[0] + d[4 * s], all8(97.0F / 36), d[2 * s]);
  out[t] = even1 + odd1;
  out[2 * t] = even1 - odd1;
  out[3 * t] = even2 + odd2;
  out[4 * t] = even2 - odd2;
  out[5 * t] = sub_mul(d[s] + d[5 * s], all8(97.0F / 36), d[3 * s]);
}

// A^T m: 6 -> 4.
inline void map_output(const Vec8* m, int s, Vec8* out, int t) {
  const Vec8 even1 = m[s] + m[2 * s];
  const Vec8 odd1 = m[s] - m[2 * s];
  const Vec8 even2 = m[3 * s] + m[4 * s];
  const Vec8 odd2 = m[3 * s] - m[4 * s];
  out[0] = m[0] + (even1 + even2);
  out[t] = mul_add(all8(2.0F / 3), odd1, all8(3.0F / 2) * odd2);
  out[2 * t] = mul_add(all8(4.0F / 9), even1, all8(9.0F / 4) * even2);
  out[3 * t] = mul_add(all8(8.0F / 27), odd1, mul_add(all8(27.0F / 8), odd2, m[5 * s]));
}

// A y: 4 -> 6, the transpose of the one before.
inline void map_gradient(const Vec8* y, int s, Vec8* out, int t) {
  const Vec8 even1 = mul_add(all8(4.0F / 9), y[2 * s], y[0]);
  const Vec8 odd1 = mul_add(all8(8.0F / 27), y[3 * s], all8(2.0F / 3) * y[s]);
  const Vec8 even2 = mul_add(all8(9.0F / 4), y[2 * s], y[0]);
  const Vec8 odd2 = mul_add(all8(27.0F / 8), y[3 * s], all8(3.0F / 2) * y[s]);
  out[0] = y[0];
  out[t] = even1 + odd1;
  out[2 * t] = even1 - odd1;
  out[3 * t] = even2 + odd2;
  out[4 * t] = even2 - odd2;
  out[5 * t] = y[3 * s];
}

// G g: 3 -> 6.
inline void map_filter(const Vec8* g, int s, Vec8* out, int t) {
  const Vec8 last = all8(18.0F / 65) * g[2 * s];
  const Vec8 even1 = mul_add(all8(81.0F / 130), g[0], last);
  const Vec8 odd1 = all8(27.0F / 65) * g[s];
  const Vec8 even2 = mul_add(all8(8.0F / 65), g[0], last);
  const Vec8 odd2 = all8(12.0F / 65) * g[s];
  out[0] = g[0];
  out[t] = even1 + odd1;
  out[2 * t] = even1 - odd1;
  out[3 * t] = even2 + odd2;
  out[4 * t] = even2 - odd2;
  out[5 * t] = g[2 * s];
}

// G^T u: 6 -> 3, its transpose.
inline void map_filter_gradient(const Vec8* u, int s, Vec8* out, int t) {
  const Vec8 even1 = u[s] + u[2 * s];
  const Vec8 odd1 = u[s] - u[2 * s];
  const Vec8 even2 = u[3 * s] + u[4 * s];
  const Vec8 odd2 = u[3 * s] - u[4 * s];
  out[0] = mul_add(all8(81.0F / 130), even1, mul_add(all8(8.0F / 65), even2, u[0]));
  out[t] = mul_add(all8(27.0F / 65), odd1, all8(12.0F / 65) * odd2);
  out[2 * t] = mul_add(all8(18.0F / 65), even1 + even2, u[5 * s]);
}

// ---- two-dimensional maps: columns first, then rows ----

// A position of a tile grid, advanced tile by tile.
struct TilePosition {
  int64_t n, i, j;
  static TilePosition of(int64_t tile, const WinogradTiles& tiles) {
    return {tile / (tiles.tiles_h * tiles.tiles_w), tile / tiles.tiles_w % tiles.tiles_h,
            tile % tiles.tiles_w};
  }
  void next(const WinogradTiles& tiles) {
    if (++j == tiles.tiles_w) {
      j = 0;
      if (++i == tiles.tiles_h) {
        i = 0;
        ++n;
      }
    }
  }
};

// The pixels of a kSize x kSize window at (h0, w0), null outside of the image.
template <int kSize>
void window_pixels(const WinogradInputBlock& b, int64_t n, int64_t h0, int64_t w0,
                   const float** pixels) {
  for (int r = 0; r < kSize; ++r) {
    for (int s = 0; s < kSize; ++s) {
      const int64_t h = h0 + r;
      const int64_t w = w0 + s;
      const bool inside = h >= 0 && h < b.height && w >= 0 && w < b.width;
      pixels[r * kSize + s] =
          inside ? b.x + ((n * b.height + h) * b.width + w) * b.channels : nullptr;
    }
  }
}

template <int kSize, void (*kMap)(const Vec8*, int, Vec8*, int)>
void transform_tiles(const WinogradInputBlock& b, int64_t pad_h, int64_t pad_w) {
  TilePosition at = TilePosition::of(b.tile_begin, b.tiles);
  for (int64_t tile = b.tile_begin; tile < b.tile_end; ++tile, at.next(b.tiles)) {
    const float* pixels[kSize * kSize];
    window_pixels<kSize>(b, at.n, at.i * kT - pad_h, at.j * kT - pad_w, pixels);
    float* out = b.out + (tile - b.tile_begin) * b.tile_stride;
    for (int64_t c = 0; c < b.channels; c += kWinogradLanes) {
      Vec8 columns[kD * kSize];  // [6 points][kSize columns]
      for (int s = 0; s < kSize; ++s) {
        Vec8 d[kSize];
        for (int r = 0; r < kSize; ++r) {
          const float* pixel = pixels[r * kSize + s];
          d[r] = pixel ? load8(pixel + c) : all8(0);
        }
        kMap(d, 1, columns + s, kSize);
      }
      for (int p = 0; p < kD; ++p) {
        Vec8 row[kD];
        kMap(columns + p * kSize, 1, row, 1);
        for (int q = 0; q < kD; ++q) store8(out + (p * kD + q) * b.point_stride + c, row[q]);
      }
    }
  }
}

void input_transform(const WinogradInputBlock& b) {
  transform_tiles<kD, map_input>(b, b.pad_h, b.pad_w);
}

void gradient_transform(const WinogradInputBlock& b) { transform_tiles<kT, map_gradient>(b, 0, 0); }

// Adds `count` new values of 8 channels to the running mean and sum of squared deviations.
// `before` values are in them already (Chan's formula, as in gemm.h).
inline void add_moments(const Vec8* values, int count, int64_t before, float* mean,
                        float* deviations) {
  Vec8 sum = all8(0);
  for (int i = 0; i < count; ++i) sum = sum + values[i];
  const Vec8 mean_here = sum * all8(1.0F / static_cast<float>(count));
  Vec8 squares = all8(0);
  for (int i = 0; i < count; ++i) {
    const Vec8 d = values[i] - mean_here;
    squares = mul_add(d, d, squares);
  }
  if (before == 0) {
    store8(mean, mean_here);
    store8(deviations, squares);
    return;
  }
  const float share = static_cast<float>(count) / static_cast<float>(before + count);
  const Vec8 old_mean = load8(mean);
  const Vec8 d = mean_here - old_mean;
  store8(mean, mul_add(all8(share), d, old_mean));
  store8(deviations,
         mul_add(all8(share * static_cast<float>(before)), d * d, load8(deviations) + squares));
}

void output_transform(const WinogradOutputBlock& b) {
  TilePosition at = TilePosition::of(b.tile_begin, b.tiles);
  const TileEpilogue& e = b.epilogue;
  int64_t stored = 0;
  for (int64_t tile = b.tile_begin; tile < b.tile_end; ++tile, at.next(b.tiles)) {
    const int rows = static_cast<int>(min_of(kT, b.height - at.i * kT));
    const int columns = static_cast<int>(min_of(kT, b.width - at.j * kT));
    const int64_t offset = ((at.n * b.height + at.i * kT) * b.width + at.j * kT) * b.channels;
    const float* m = b.m + (tile - b.tile_begin) * b.tile_stride;
    for (int64_t c = 0; c < b.columns; c += kWinogradLanes) {
      Vec8 half[kT * kD];  // [4 rows][6 points]
      for (int q = 0; q < kD; ++q) {
        Vec8 d[kD];
        for (int p = 0; p < kD; ++p) d[p] = load8(m + (p * kD + q) * b.point_stride + c);
        map_output(d, 1, half + q, kD);
      }
      const Vec8 scale = e.scale ? load8(e.scale + c) : all8(1);
      const Vec8 shift = e.shift ? load8(e.shift + c) : all8(0);
      Vec8 values[kT * kT];
      int count = 0;
      for (int r = 0; r < rows; ++r) {
        Vec8 y[kT];
        map_output(half + r * kD, 1, y, 1);
        for (int s = 0; s < columns; ++s) {
          const int64_t pixel = offset + (r * b.width + s) * b.channels + c;
          Vec8 v = mul_add(y[s], scale, shift);
          if (e.residual) v = v + load8(e.residual + pixel);
          if (e.relu) v = relu8(v);
          store8(b.y + pixel, v);
          values[count++] = v;
        }
      }
      if (b.mean) add_moments(values, count, stored, b.mean + c, b.deviations + c);
    }
    stored += rows * columns;
  }
}

// ---- weights ----

// G g G^T of 8 filters, one a lane: taps g[3][3] -> u[36].
inline void transform_filter(const Vec8* g, Vec8* u) {
  Vec8 columns[kD * 3];
  for (int s = 0; s < 3; ++s) map_filter(g + s, 3, columns + s, 3);
  for (int p = 0; p < kD; ++p) map_filter(columns + p * 3, 1, u + p * kD, 1);
}

// out[point][row][lane] for 8 lanes from `column` on.
inline void store_filter(const Vec8* u, int64_t rows, int64_t row, int64_t column, float* out) {
  for (int p = 0; p < kWinogradPoints; ++p) {
    store8(out + p * winograd_point_floats(rows) + row * kPanelColumns + column, u[p]);
  }
}

// Packing reads w from memory in short pieces far apart, which the processor does not foresee.
constexpr int64_t kFetchRows = 4;  // rows of a backward-data panel to ask for ahead

void pack_forward(const float* w, int64_t channels, int64_t rows, int64_t columns, float* out) {
  for (int64_t row = 0; row < rows; row += kWinogradLanes) {
    for (int64_t first = 0; first < kPanelColumns; first += kWinogradLanes) {
      // 8 input channels of 8 filters, turned so that a lane is a filter.
      Vec8 g[kWinogradLanes][9];
      for (int64_t tap = 0; tap < 9; ++tap) {
        Vec8 filters[kWinogradLanes];
        for (int64_t l = 0; l < kWinogradLanes; ++l) {
          const int64_t column = first + l;
          const float* at = w + (column * 9 + tap) * channels + row;
          if (column < columns) __builtin_prefetch(at + 4 * kWinogradLanes);
          filters[l] = column < columns ? load8(at) : all8(0);
        }
        transpose8(filters);
        for (int64_t l = 0; l < kWinogradLanes; ++l) g[l][tap] = filters[l];
      }
      for (int64_t l = 0; l < kWinogradLanes; ++l) {
        Vec8 u[kWinogradPoints];
        transform_filter(g[l], u);
        store_filter(u, rows, row + l, first, out);
      }
    }
  }
}

void pack_backward_data(const float* w, int64_t channels, int64_t rows, int64_t columns,
                        float* out) {
  for (int64_t row = 0; row < rows; ++row) {
    if (row + kFetchRows < rows) {
      for (int64_t tap = 0; tap < 9; ++tap) {
        __builtin_prefetch(w + ((row + kFetchRows) * 9 + tap) * channels);
      }
    }
    for (int64_t column = 0; column < kPanelColumns; column += kWinogradLanes) {
      Vec8 g[9];
      for (int64_t tap = 0; tap < 9; ++tap) {
        // Columns are a multiple of 8, so a vector is inside or outside as a whole.
        g[tap] = column < columns ? load8(w + (row * 9 + 8 - tap) * channels + column) : all8(0);
      }
      Vec8 u[kWinogradPoints];
      transform_filter(g, u);
      store_filter(u, rows, row, column, out);
    }
  }
}

void weights_transform(const float* du, int64_t point_stride, int64_t row_stride, int64_t rows,
                       int64_t columns, float* dw, int64_t channels) {
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t c = 0; c < columns; c += kWinogradLanes) {
      Vec8 half[3 * kD];  // [3 rows][6 points]
      for (int q = 0; q < kD; ++q) {
        Vec8 u[kD];
        for (int p = 0; p < kD; ++p) {
          u[p] = load8(du + (p * kD + q) * point_stride + row * row_stride + c);
        }
        map_filter_gradient(u, 1, half + q, kD);
      }
      for (int r = 0; r < 3; ++r) {
        Vec8 taps[3];
        map_filter_gradient(half + r * kD, 1, taps, 1);
        for (int s = 0; s < 3; ++s) store8(dw + (row * 9 + r * 3 + s) * channels + c, taps[s]);
      }
    }
  }
}

}  // namespace

const WinogradKernels& winograd_kernels() {
  static constexpr WinogradKernels kTable = {input_transform,    output_transform,
                                             pack_forward,       pack_backward_data,
                                             gradient_transform, weights_transform};
  return kTable;
}

}  // namespace hanok::cpu::HANOK_ISA
