// The transforms of Winograd's minimal filtering as templates over the map of one dimension.
// winograd4x4.cpp explains the mathematics; it, winograd2x2.cpp and winograd_stem.cpp call
// instances of these.
//
// The points 0, 2/3, -2/3, 3/2, -3/2 and infinity serve every F(m, r) with m + r = 7: the input's
// map B^T is the same for F(4, 3) and F(3, 4), and the output's A^T just ends one power earlier.
#pragma once

#include "hanok/kernels/cpu/isa/vector.h"
#include "hanok/kernels/cpu/isa/winograd4x4.h"

namespace hanok::cpu::HANOK_ISA {
namespace {

inline int64_t min_of(int64_t a, int64_t b) { return a < b ? a : b; }

// `left` channels are left from p on, a multiple of kWinogradChannels: where vectors are no wider
// than that, all lanes are inside.
inline Vec load_channels(const float* p, int64_t left) {
  return kWinogradChannels % kLanes == 0 ? load(p) : load_first(p, left);
}
inline void store_channels(float* p, Vec v, int64_t left) {
  kWinogradChannels % kLanes == 0 ? store(p, v) : store_first(p, v, left);
}
inline void store_channels(uint16_t* p, Vec v, int64_t left) {
  if (kWinogradChannels % kLanes == 0 || left >= kLanes) return store(p, v);
  uint16_t bf16[kLanes];
  store(bf16, v);
  memcpy(p, bf16, sizeof(uint16_t) * (size_t)left);
}
// How many of a vector's lanes are channels.
inline int64_t channels_of_vector(int64_t left) {
  return kWinogradChannels % kLanes == 0 ? kLanes : min_of(kLanes, left);
}

// ---- one-dimensional maps on registers; s and t: distance between consecutive elements ----

// The even and the odd part of what belongs to a pair of points: +-2/3 and +-3/2.
struct Pairs {
  Vec even1, odd1, even2, odd2;
};

inline Pairs load_pairs(const Vec* m, int s) {
  return {m[s] + m[2 * s], m[s] - m[2 * s], m[3 * s] + m[4 * s], m[3 * s] - m[4 * s]};
}

inline void store_pairs(const Pairs& p, Vec* out, int t) {
  out[t] = p.even1 + p.odd1;
  out[2 * t] = p.even1 - p.odd1;
  out[3 * t] = p.even2 + p.odd2;
  out[4 * t] = p.even2 - p.odd2;
}

// B^T d: 6 -> 6.
inline void map_input(const Vec* d, int s, Vec* out, int t) {
  const Vec even1 = mul_sub(broadcast(9.0F / 4), d[2 * s], d[4 * s]);
  const Vec odd1 = sub_mul(broadcast(3.0F / 2) * d[s], broadcast(2.0F / 3), d[3 * s]);
  const Vec even2 = sub_mul(d[4 * s], broadcast(4.0F / 9), d[2 * s]);
  const Vec odd2 = sub_mul(broadcast(3.0F / 2) * d[3 * s], broadcast(2.0F / 3), d[s]);
  out[0] = sub_mul(d[0] + d[4 * s], broadcast(97.0F / 36), d[2 * s]);
  store_pairs({even1, odd1, even2, odd2}, out, t);
  out[5 * t] = sub_mul(d[s] + d[5 * s], broadcast(97.0F / 36), d[3 * s]);
}

// A^T m: 6 -> 4.
inline void map_output(const Vec* m, int s, Vec* out, int t) {
  const auto [even1, odd1, even2, odd2] = load_pairs(m, s);
  out[0] = m[0] + (even1 + even2);
  out[t] = mul_add(broadcast(2.0F / 3), odd1, broadcast(3.0F / 2) * odd2);
  out[2 * t] = mul_add(broadcast(4.0F / 9), even1, broadcast(9.0F / 4) * even2);
  out[3 * t] = mul_add(broadcast(8.0F / 27), odd1, mul_add(broadcast(27.0F / 8), odd2, m[5 * s]));
}

// A^T m: 6 -> 3.
inline void map_output3(const Vec* m, int s, Vec* out, int t) {
  const auto [even1, odd1, even2, odd2] = load_pairs(m, s);
  out[0] = m[0] + (even1 + even2);
  out[t] = mul_add(broadcast(2.0F / 3), odd1, broadcast(3.0F / 2) * odd2);
  out[2 * t] = mul_add(broadcast(4.0F / 9), even1, mul_add(broadcast(9.0F / 4), even2, m[5 * s]));
}

// ---- two-dimensional maps: columns first, then rows ----

// The pixels of a tile's kSize x kSize window, null outside of the image and where the tile does
// not need them.
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

// Prefetches a line of channels, from c on, of the pixels that lie `ahead` floats further. Always
// inline: g++ treats a function that only prefetches as free of side effects and removes its calls.
__attribute__((always_inline)) inline void fetch_pixels(const float* const* pixels, int count,
                                                        int64_t ahead, int64_t c) {
  for (int i = 0; i < count; ++i) {
    if (pixels[i]) __builtin_prefetch(pixels[i] + ahead + c);
  }
}

// Floats from a tile's pixels to those of the next in the list, `step` pixels lie between outputs;
// 0 where they are not prefetched.
inline int64_t next_tile_ahead(const WinogradInputBlock& b, int64_t tile, int64_t step) {
  if (!b.fetch_x || tile + 1 >= b.known_tiles) return 0;
  const WinogradTile& from = b.tiles[tile];
  const WinogradTile& to = b.tiles[tile + 1];
  const int64_t rows = (to.n - from.n) * b.height + step * (to.h - from.h);
  return (rows * b.width + step * (to.w - from.w)) * b.channels;
}

// kSize x kSize pixels -> kPoints x kPoints. Only the first of the points depends on the first
// pixel, so that tiles that skip one may leave out the other.
template <int kSize, int kPoints, void (*kMap)(const Vec*, int, Vec*, int)>
void transform_tiles(const WinogradInputBlock& b, int64_t pad_h, int64_t pad_w) {
  for (int64_t tile = 0; tile < b.tile_count; ++tile) {
    const float* pixels[kSize * kSize];
    window_pixels<kSize>(b, b.tiles[tile], pad_h, pad_w, pixels);
    const int64_t ahead = next_tile_ahead(b, tile, 1);
    const int64_t point_stride = b.point_stride;
    float* out = b.out + tile * b.tile_stride;
    for (int64_t c = 0; c < b.columns; c += kLanes) {
      if (ahead != 0 && c % kPanelColumns == 0) fetch_pixels(pixels, kSize * kSize, ahead, c);
      Vec columns[kPoints * kSize];
      for (int s = 0; s < kSize; ++s) {
        Vec d[kSize];
        for (int r = 0; r < kSize; ++r) {
          const float* pixel = pixels[r * kSize + s];
          d[r] = pixel ? load_channels(pixel + c, b.columns - c) : Vec{};
        }
        kMap(d, 1, columns + s, kSize);
      }
      for (int p = 0; p < kPoints; ++p) {
        Vec row[kPoints];
        kMap(columns + p * kSize, 1, row, 1);
        for (int q = 0; q < kPoints; ++q) {
          store_channels(out + (p * kPoints + q) * point_stride + c, row[q], b.columns - c);
        }
      }
    }
  }
}

// Adds `count` new values of `left` channels, or a vector of them, to the running mean and sum of
// squared deviations. `before` values are in them already (Chan's formula, as in gemm.h).
inline void add_moments(const Vec* values, int count, int64_t before, int64_t left, float* mean,
                        float* deviations) {
  Vec sum = broadcast(0.0F);
  for (int i = 0; i < count; ++i) sum = sum + values[i];
  const Vec mean_here = sum * broadcast(1.0F / static_cast<float>(count));
  Vec squares = broadcast(0.0F);
  for (int i = 0; i < count; ++i) {
    const Vec d = values[i] - mean_here;
    squares = mul_add(d, d, squares);
  }
  if (before == 0) {
    store_channels(mean, mean_here, left);
    store_channels(deviations, squares, left);
    return;
  }
  const float share = static_cast<float>(count) / static_cast<float>(before + count);
  const Vec old_mean = load_channels(mean, left);
  const Vec d = mean_here - old_mean;
  store_channels(mean, mul_add(broadcast(share), d, old_mean), left);
  store_channels(deviations,
                 mul_add(broadcast(share * static_cast<float>(before)), d * d,
                         load_channels(deviations, left) + squares),
                 left);
}

// The outputs of a tile that are stored: rows [row_begin, row_end) and as many columns.
struct StoredOutputs {
  int row_begin, row_end, column_begin, column_end;
  int count() const { return (row_end - row_begin) * (column_end - column_begin); }
};

// A vector of channels of a tile, products `m` -> outputs at out[offset], the epilogue at channel
// c. Out: float, or uint16_t for bf16; the moments are those of the values before they are rounded.
template <int kTile, int kPoints, void (*kMap)(const Vec*, int, Vec*, int), typename Out>
__attribute__((always_inline)) inline void output_channels(const WinogradOutputBlock& b, Out* out,
                                                           const float* m, int64_t offset,
                                                           int64_t c, StoredOutputs stored,
                                                           int64_t stored_before) {
  const TileEpilogue& e = b.epilogue;
  const int64_t left = b.columns - c;
  Vec half[kTile * kPoints];
  for (int q = 0; q < kPoints; ++q) {
    Vec d[kPoints];
    for (int p = 0; p < kPoints; ++p)
      d[p] = load_channels(m + (p * kPoints + q) * b.point_stride, left);
    kMap(d, 1, half + q, kPoints);
  }
  const Vec scale = e.scale ? load_channels(e.scale + c, left) : broadcast(1.0F);
  const Vec shift = e.shift ? load_channels(e.shift + c, left) : broadcast(0.0F);
  Vec values[kTile * kTile];
  int count = 0;
  for (int r = stored.row_begin; r < stored.row_end; ++r) {
    Vec y[kTile];
    kMap(half + r * kPoints, 1, y, 1);
    for (int s = stored.column_begin; s < stored.column_end; ++s) {
      const int64_t pixel = offset + (r * b.width + s) * b.channels;
      Vec v = mul_add(y[s], scale, shift);
      if (e.residual) v = v + load_channels(e.residual + pixel, left);
      if (e.relu) v = clip(v, broadcast(e.ceiling));
      store_channels(out + pixel, v, left);
      values[count++] = v;
    }
  }
  if (b.mean) add_moments(values, count, stored_before, left, b.mean + c, b.deviations + c);
}

// kPoints x kPoints products of a tile -> kTile x kTile outputs. Products that a tile skips are
// undefined: they only affect outputs that are not stored.
template <int kTile, int kPoints, void (*kMap)(const Vec*, int, Vec*, int), typename Out>
void output_tiles_to(Out* out, const WinogradOutputBlock& b) {
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
    for (int64_t c = 0; c < b.columns; c += kLanes) {
      if (whole) {  // loops of constant length
        output_channels<kTile, kPoints, kMap>(b, out, m + c, offset + c, c, kAll, stored_before);
      } else {
        output_channels<kTile, kPoints, kMap>(b, out, m + c, offset + c, c, stored, stored_before);
      }
    }
    stored_before += stored.count();
  }
}

template <int kTile, int kPoints, void (*kMap)(const Vec*, int, Vec*, int)>
void output_tiles(const WinogradOutputBlock& b) {
  b.epilogue.bf16 ? output_tiles_to<kTile, kPoints, kMap>(b.epilogue.bf16, b)
                  : output_tiles_to<kTile, kPoints, kMap>(b.y, b);
}

// ---- weights ----

// G g G^T of kLanes filters, one a lane: taps g[3][3] -> u[kPoints][kPoints].
template <int kPoints, void (*kMap)(const Vec*, int, Vec*, int)>
void transform_filter(const Vec* g, Vec* u) {
  Vec columns[kPoints * 3];
  for (int s = 0; s < 3; ++s) kMap(g + s, 3, columns + s, 3);
  for (int p = 0; p < kPoints; ++p) kMap(columns + p * 3, 1, u + p * kPoints, 1);
}

// Prefetches the first of the taps' channels of the filter four after `row`, of `rows` filters of w
// [K,3,3,channels]. Always inline, as fetch_pixels.
__attribute__((always_inline)) inline void fetch_filter_ahead(const float* w, int64_t channels,
                                                              int64_t row, int64_t rows) {
  constexpr int64_t kAhead = 4;
  if (row + kAhead >= rows) return;
  for (int64_t tap = 0; tap < 9; ++tap) {
    __builtin_prefetch(w + ((row + kAhead) * 9 + tap) * channels);
  }
}

// out[point][row][lane] for kLanes lanes from `column` on.
template <int kPoints>
void store_filter(const Vec* u, int64_t rows, int64_t row, int64_t column, float* out) {
  for (int p = 0; p < kPoints * kPoints; ++p) {
    store(out + p * winograd_point_floats(rows) + row * kPanelColumns + column, u[p]);
  }
}

// The taps of `left` input channels (of kLanes, if there are more), from `row` on, of kLanes
// filters from `first` on of w [K,3,3,channels] -> g[channel][tap], a lane a filter; those from
// `columns` on are 0. w is read in short pieces far apart, which the hardware prefetcher does not
// predict, so they are prefetched.
inline void turn_filters(const float* w, int64_t channels, int64_t row, int64_t left, int64_t first,
                         int64_t columns, Vec (*g)[9]) {
  for (int64_t tap = 0; tap < 9; ++tap) {
    Vec filters[kLanes];
    for (int64_t l = 0; l < kLanes; ++l) {
      const int64_t column = first + l;
      const float* at = w + (column * 9 + tap) * channels + row;
      if (column < columns) __builtin_prefetch(at + 4 * kLanes);
      filters[l] = column < columns ? load_channels(at, left) : Vec{};
    }
    transpose(filters);
    for (int64_t l = 0; l < kLanes; ++l) g[l][tap] = filters[l];
  }
}

// One panel: `columns` <= 16 filters and `rows` of their input channels, w [K,3,3,channels]
// -> out[point][row][16].
template <int kPoints, void (*kMap)(const Vec*, int, Vec*, int)>
void pack_filters(const float* w, int64_t channels, int64_t rows, int64_t columns, float* out) {
  for (int64_t row = 0; row < rows; row += kLanes) {
    for (int64_t first = 0; first < kPanelColumns; first += kLanes) {
      Vec g[kLanes][9];
      turn_filters(w, channels, row, rows - row, first, columns, g);
      for (int64_t l = 0; l < channels_of_vector(rows - row); ++l) {
        Vec u[kPoints * kPoints];
        transform_filter<kPoints, kMap>(g[l], u);
        store_filter<kPoints>(u, rows, row + l, first, out);
      }
    }
  }
}

}  // namespace
}  // namespace hanok::cpu::HANOK_ISA
