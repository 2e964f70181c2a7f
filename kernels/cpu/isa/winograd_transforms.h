// The transforms of Winograd's minimal filtering as templates over the map of one dimension.
// winograd4x4.cpp tells the mathematics; what it, winograd2x2.cpp and winograd_stem.cpp call are
// instances of these.
//
// The points 0, 2/3, -2/3, 3/2, -3/2 and infinity serve every F(m, r) with m + r = 7: the input's
// map B^T is the same for F(4, 3) and F(3, 4), and the output's A^T just ends one power earlier.
#pragma once

#include "hanok/kernels/cpu/isa/vector8.h"
#include "hanok/kernels/cpu/isa/winograd4x4.h"

namespace hanok::cpu::HANOK_ISA {
namespace {

inline int64_t min_of(int64_t a, int64_t b) { return a < b ? a : b; }

// ---- one-dimensional maps on registers; s and t: distance between consecutive elements ----

// The even and the odd part of what belongs to a pair of points: +-2/3 and +-3/2.
struct Pairs {
  Vec8 even1, odd1, even2, odd2;
};

inline Pairs load_pairs(const Vec8* m, int s) {
  return {m[s] + m[2 * s], m[s] - m[2 * s], m[3 * s] + m[4 * s], m[3 * s] - m[4 * s]};
}

inline void store_pairs(const Pairs& p, Vec8* out, int t) {
  out[t] = p.even1 + p.odd1;
  out[2 * t] = p.even1 - p.odd1;
  out[3 * t] = p.even2 + p.odd2;
  out[4 * t] = p.even2 - p.odd2;
}

// B^T d: 6 -> 6.
inline void map_input(const Vec8* d, int s, Vec8* out, int t) {
  const Vec8 even1 = mul_sub(all8(9.0F / 4), d[2 * s], d[4 * s]);
  const Vec8 odd1 = sub_mul(all8(3.0F / 2) * d[s], all8(2.0F / 3), d[3 * s]);
  const Vec8 even2 = sub_mul(d[4 * s], all8(4.0F / 9), d[2 * s]);
  const Vec8 odd2 = sub_mul(all8(3.0F / 2) * d[3 * s], all8(2.0F / 3), d[s]);
  out[0] = sub_mul(d[0] + d[4 * s], all8(97.0F / 36), d[2 * s]);
  store_pairs({even1, odd1, even2, odd2}, out, t);
  out[5 * t] = sub_mul(d[s] + d[5 * s], all8(97.0F / 36), d[3 * s]);
}

// A^T m: 6 -> 4.
inline void map_output(const Vec8* m, int s, Vec8* out, int t) {
  const auto [even1, odd1, even2, odd2] = load_pairs(m, s);
  out[0] = m[0] + (even1 + even2);
  out[t] = mul_add(all8(2.0F / 3), odd1, all8(3.0F / 2) * odd2);
  out[2 * t] = mul_add(all8(4.0F / 9), even1, all8(9.0F / 4) * even2);
  out[3 * t] = mul_add(all8(8.0F / 27), odd1, mul_add(all8(27.0F / 8), odd2, m[5 * s]));
}

// A^T m: 6 -> 3.
inline void map_output3(const Vec8* m, int s, Vec8* out, int t) {
  const auto [even1, odd1, even2, odd2] = load_pairs(m, s);
  out[0] = m[0] + (even1 + even2);
  out[t] = mul_add(all8(2.0F / 3), odd1, all8(3.0F / 2) * odd2);
  out[2 * t] = mul_add(all8(4.0F / 9), even1, mul_add(all8(9.0F / 4), even2, m[5 * s]));
}

// ---- two-dimensional maps: columns first, then rows ----

// The pixels of a tile's kSize x kSize window, null outside of the image and where the tile has no
// use for them.
template <int kSize>
void window_pixels(const WinogradInputBlock& b, const WinogradTile& tile, int64_t pad_h,
                   int64_t pad_w, const float** pixels) {
  const int64_t h0 = tile.h - pad_h;
  const int64_t w0 = tile.w - pad_w;
  const float* x = b.x + ((tile.n * b.height + h0) * b.width + w0) * b.channels;
  const bool inside = h0 >= 0 && h0 + kSize <= b.height && w0 >= 0 && w0 + kSize <= b.width;
  const bool whole = inside && tile.skip_h == 0 && tile.skip_w == 0;
  for (int r = 0; r < kSize; ++r) {
    const bool row = r >= tile.skip_h && h0 + r >= 0 && h0 + r < b.height;
    for (int s = 0; s < kSize; ++s) {
      const bool used = whole || (row && s >= tile.skip_w && w0 + s >= 0 && w0 + s < b.width);
      pixels[r * kSize + s] = used ? x + (r * b.width + s) * b.channels : nullptr;
    }
  }
}

// Asks for 16 channels, from c on, of the pixels that lie `ahead` floats further. Always inline:
// g++ takes a function that only prefetches for one without effect and drops its calls.
__attribute__((always_inline)) inline void fetch_pixels(const float* const* pixels, int count,
                                                        int64_t ahead, int64_t c) {
  for (int i = 0; i < count; ++i) {
    if (pixels[i]) __builtin_prefetch(pixels[i] + ahead + c);
  }
}

// Floats from a tile's pixels to those of the next in the list, `step` pixels lie between outputs;
// 0 where the pixels need not be asked for.
inline int64_t next_tile_ahead(const WinogradInputBlock& b, int64_t tile, int64_t step) {
  if (!b.fetch_x || tile + 1 >= b.tile_count) return 0;
  const WinogradTile& from = b.tiles[tile];
  const WinogradTile& to = b.tiles[tile + 1];
  const int64_t rows = (to.n - from.n) * b.height + step * (to.h - from.h);
  return (rows * b.width + step * (to.w - from.w)) * b.channels;
}

// kSize x kSize pixels -> kPoints x kPoints. Only the first of the points depends on the first
// pixel, so that tiles that skip one may leave out the other.
template <int kSize, int kPoints, void (*kMap)(const Vec8*, int, Vec8*, int)>
void transform_tiles(const WinogradInputBlock& b, int64_t pad_h, int64_t pad_w) {
  for (int64_t tile = 0; tile < b.tile_count; ++tile) {
    const float* pixels[kSize * kSize];
    window_pixels<kSize>(b, b.tiles[tile], pad_h, pad_w, pixels);
    const int64_t ahead = next_tile_ahead(b, tile, 1);
    const int64_t point_stride = b.point_stride;
    float* out = b.out + tile * b.tile_stride;
    for (int64_t c = 0; c < b.channels; c += kWinogradLanes) {
      if (ahead != 0 && c % kPanelColumns == 0) fetch_pixels(pixels, kSize * kSize, ahead, c);
      Vec8 columns[kPoints * kSize];
      for (int s = 0; s < kSize; ++s) {
        Vec8 d[kSize];
        for (int r = 0; r < kSize; ++r) {
          const float* pixel = pixels[r * kSize + s];
          d[r] = pixel ? load8(pixel + c) : all8(0);
        }
        kMap(d, 1, columns + s, kSize);
      }
      for (int p = 0; p < kPoints; ++p) {
        Vec8 row[kPoints];
        kMap(columns + p * kSize, 1, row, 1);
        for (int q = 0; q < kPoints; ++q)
          store8(out + (p * kPoints + q) * point_stride + c, row[q]);
      }
    }
  }
}

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

// The outputs of a tile that are stored: rows [row_begin, row_end) and as many columns.
struct StoredOutputs {
  int row_begin, row_end, column_begin, column_end;
  int count() const { return (row_end - row_begin) * (column_end - column_begin); }
};

// Eight channels of a tile, products `m` -> outputs at y[offset], the epilogue at channel c.
template <int kTile, int kPoints, void (*kMap)(const Vec8*, int, Vec8*, int)>
__attribute__((always_inline)) inline void output_channels(const WinogradOutputBlock& b,
                                                           const float* m, int64_t offset,
                                                           int64_t c, StoredOutputs stored,
                                                           int64_t stored_before) {
  const TileEpilogue& e = b.epilogue;
  Vec8 half[kTile * kPoints];
  for (int q = 0; q < kPoints; ++q) {
    Vec8 d[kPoints];
    for (int p = 0; p < kPoints; ++p) d[p] = load8(m + (p * kPoints + q) * b.point_stride);
    kMap(d, 1, half + q, kPoints);
  }
  const Vec8 scale = e.scale ? load8(e.scale + c) : all8(1);
  const Vec8 shift = e.shift ? load8(e.shift + c) : all8(0);
  Vec8 values[kTile * kTile];
  int count = 0;
  for (int r = stored.row_begin; r < stored.row_end; ++r) {
    Vec8 y[kTile];
    kMap(half + r * kPoints, 1, y, 1);
    for (int s = stored.column_begin; s < stored.column_end; ++s) {
      const int64_t pixel = offset + (r * b.width + s) * b.channels;
      Vec8 v = mul_add(y[s], scale, shift);
      if (e.residual) v = v + load8(e.residual + pixel);
      if (e.relu) v = clip8(v, all8(e.ceiling));
      store8(b.y + pixel, v);
      values[count++] = v;
    }
  }
  if (b.mean) add_moments(values, count, stored_before, b.mean + c, b.deviations + c);
}

// kPoints x kPoints products of a tile -> kTile x kTile outputs. Products that a tile skips hold
// anything: they would only reach the outputs that are not stored.
template <int kTile, int kPoints, void (*kMap)(const Vec8*, int, Vec8*, int)>
void output_tiles(const WinogradOutputBlock& b) {
  constexpr StoredOutputs kAll{0, kTile, 0, kTile};
  int64_t stored_before = 0;
  for (int64_t t = 0; t < b.tile_count; ++t) {
    const WinogradTile& tile = b.tiles[t];
    const StoredOutputs stored{
        static_cast<int>(tile.skip_h), static_cast<int>(min_of(kTile, b.height - tile.h)),
        static_cast<int>(tile.skip_w), static_cast<int>(min_of(kTile, b.width - tile.w))};
    const int64_t offset = ((tile.n * b.height + tile.h) * b.width + tile.w) * b.channels;
    const float* m = b.m + t * b.tile_stride;
    const bool whole = stored.count() == kAll.count();
    for (int64_t c = 0; c < b.columns; c += kWinogradLanes) {
      if (whole) {  // loops of constant length
        output_channels<kTile, kPoints, kMap>(b, m + c, offset + c, c, kAll, stored_before);
      } else {
        output_channels<kTile, kPoints, kMap>(b, m + c, offset + c, c, stored, stored_before);
      }
    }
    stored_before += stored.count();
  }
}

// ---- weights ----

// G g G^T of 8 filters, one a lane: taps g[3][3] -> u[kPoints][kPoints].
template <int kPoints, void (*kMap)(const Vec8*, int, Vec8*, int)>
void transform_filter(const Vec8* g, Vec8* u) {
  Vec8 columns[kPoints * 3];
  for (int s = 0; s < 3; ++s) kMap(g + s, 3, columns + s, 3);
  for (int p = 0; p < kPoints; ++p) kMap(columns + p * 3, 1, u + p * kPoints, 1);
}

// Asks for the first of the taps' channels of the filter four after `row`, of `rows` filters of
// w [K,3,3,channels]. Always inline, as fetch_pixels.
__attribute__((always_inline)) inline void fetch_filter_ahead(const float* w, int64_t channels,
                                                              int64_t row, int64_t rows) {
  constexpr int64_t kAhead = 4;
  if (row + kAhead >= rows) return;
  for (int64_t tap = 0; tap < 9; ++tap) {
    __builtin_prefetch(w + ((row + kAhead) * 9 + tap) * channels);
  }
}

// out[point][row][lane] for 8 lanes from `column` on.
template <int kPoints>
void store_filter(const Vec8* u, int64_t rows, int64_t row, int64_t column, float* out) {
  for (int p = 0; p < kPoints * kPoints; ++p) {
    store8(out + p * winograd_point_floats(rows) + row * kPanelColumns + column, u[p]);
  }
}

// The taps of 8 input channels, from `row` on, of filters [first, first + 8) of w [K,3,3,channels]
// -> g[channel][tap], a lane a filter; those from `columns` on are 0. w is read in short pieces far
// apart, which the processor does not foresee, so they are asked for ahead.
inline void turn_filters(const float* w, int64_t channels, int64_t row, int64_t first,
                         int64_t columns, Vec8 (*g)[9]) {
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
}

// One panel: `columns` <= 16 filters and `rows` of their input channels, w [K,3,3,channels]
// -> out[point][row][16].
template <int kPoints, void (*kMap)(const Vec8*, int, Vec8*, int)>
void pack_filters(const float* w, int64_t channels, int64_t rows, int64_t columns, float* out) {
  for (int64_t row = 0; row < rows; row += kWinogradLanes) {
    for (int64_t first = 0; first < kPanelColumns; first += kWinogradLanes) {
      Vec8 g[kWinogradLanes][9];
      turn_filters(w, channels, row, first, columns, g);
      for (int64_t l = 0; l < kWinogradLanes; ++l) {
        Vec8 u[kPoints * kPoints];
        transform_filter<kPoints, kMap>(g[l], u);
        store_filter<kPoints>(u, rows, row + l, first, out);
      }
    }
  }
}

}  // namespace
}  // namespace hanok::cpu::HANOK_ISA
