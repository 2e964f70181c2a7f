// Products in dynamic fixed point (Das et al., "Mixed precision training of convolutional neural
// networks using integer operations", ICLR 2018).
//
// Range. A row of floats x becomes integers q of 14 bits with one scale s: x = q * s. The largest
// magnitude of the row becomes 8191, so s follows the data from row to row ("dynamic"); a floating
// point number has an exponent for each element instead, and so fewer bits for the number itself:
// bf16 keeps 8, this keeps 14 of the largest element and fewer of smaller ones.
//
// Rounding. To the nearest integer: an error of at most s / 2 = max|x| / 16382, whatever the size
// of the element. A product over k terms adds k such errors of both factors, which are independent:
// relative to the result's rms they grow with the ratio of maximum and rms of the rows, about three
// for activations. This is where all of the error comes from, because the sums are exact.
//
// Overflow. q * q' is below 2^26; 32 of them are below 2^31 whatever they are. More may be added
// where the filter's magnitudes sum to less: 8191 * sum|q'| < 2^31. The filter is known when it is
// packed (largest_sum), so that `exact_terms` is proven, not hoped for. Between such runs the sum
// goes to a float, and the floats are added in the order of k.
//
// Speed. vpmaddwd multiplies 16 pairs of 16-bit integers and adds neighbours, twice the work of a
// float multiply-add in an AVX2 register, at the price of an addition; VNNI's vpdpwssd adds as
// well. Pairs are neighbouring channels, which lie side by side in NHWC. The register tile is 12
// rows of 2 vectors with AVX-512, where 24 of 32 registers are sums, and 4 rows with AVX2: 8 of its
// 16 registers are sums, 2 hold B, and the others let products wait for their addition.
#include "hanok/kernels/cpu/isa/int16.h"

#include "hanok/kernels/cpu/isa/isa_kernels.h"
#include "hanok/kernels/cpu/isa/tile_epilogue.h"
#include "hanok/kernels/cpu/isa/vector.h"

namespace hanok::cpu::HANOK_ISA {
namespace {

int64_t min_of(int64_t a, int64_t b) { return a < b ? a : b; }

// ---- floats to integers ----

// The magnitudes' bits, which order as the magnitudes do, NaN above infinity.
inline IntVec magnitude_bits(Vec v) { return (IntVec)v & 0x7fffffff; }

inline IntVec magnitude(IntVec v) { return larger(v, -v); }

struct Scale {
  Vec scale;    // of the integers
  Vec inverse;  // integers = round(x * inverse)
};

// Of rows, or columns, whose largest magnitudes have these bits and become `most_integer`. One of
// zeros, or as good as zeros, becomes integers 0; one with infinities or NaN gets the scale NaN, so
// that its products are NaN too.
inline Scale scale_of(IntVec magnitude, int32_t most_integer = kInt16Most) {
  const Vec most = (Vec)magnitude;
  const IntVec finite = most <= 3.4e38F;
  const IntVec usual = finite & (most >= 1e-30F);
  const IntVec nan = broadcast_int(0x7fc00000) & ~finite;
  const auto integer = static_cast<float>(most_integer);
  const IntVec scale = (IntVec)(most * (1.0F / integer)) & usual;
  const IntVec inverse = (IntVec)(integer / most) & usual;
  return {(Vec)(scale | nan), (Vec)inverse};
}

// Rounded to nearest, ties to even: adding 1.5 * 2^23 leaves no bits behind the point.
inline IntVec rounded(Vec v) {
  constexpr float kShift = 12582912;
  return (IntVec)(v + broadcast(kShift)) - 0x4b400000;
}

template <bool kStream>
void store_row(int16_t* q, IntVec v) {
  kStream ? stream_i16(q, v) : store_i16(q, v);
}

template <bool kStream>
void quantize_rows_to(const Int16Rows& r) {
  for (int64_t i = 0; i < r.rows; ++i) {
    const float* x = r.x + i * r.x_stride;
    int16_t* q = r.q + i * r.q_stride;
    const int64_t whole = r.columns / kLanes * kLanes;
    const bool rest = whole < r.columns;
    const Vec last = rest ? load_first(x + whole, r.columns - whole) : Vec{};
    IntVec most = magnitude_bits(last);
    for (int64_t j = 0; j < whole; j += kLanes) most = larger(most, magnitude_bits(load(x + j)));
    const Scale scale = scale_of(broadcast_int(largest_lane(most)));
    r.scale[i * r.scale_stride] = scale.scale[0];
    const bool zeros = scale.inverse[0] == 0;
    for (int64_t j = 0; j < whole; j += kLanes) {
      store_row<kStream>(q + j, zeros ? IntVec{} : rounded(load(x + j) * scale.inverse));
    }
    if (rest) store_row<kStream>(q + whole, zeros ? IntVec{} : rounded(last * scale.inverse));
  }
}

void quantize_rows(const Int16Rows& r) {
  r.stream ? quantize_rows_to<true>(r) : quantize_rows_to<false>(r);
}

// Two rows as pairs; returns the sums of their magnitudes. Of NaN any integer becomes: such a
// column's scale is NaN.
inline IntVec store_pairs(Vec first, Vec second, const Scale& scale, int32_t* out) {
  const IntVec low = rounded(first * scale.inverse);
  const IntVec high = rounded(second * scale.inverse);
  store_int(out, (low & 0xffff) | (high << 16));
  return magnitude(low) + magnitude(high);
}

void quantize_panel(const Int16Panel& p) {
  for (int64_t lane = 0; lane < kPanelColumns; lane += kLanes) {
    const float* x = p.x + lane;
    IntVec most{};
    for (int64_t i = 0; i < p.rows; ++i) {
      most = larger(most, magnitude_bits(load(x + i * kPanelColumns)));
    }
    const Scale scale = scale_of(most, p.most);
    store(p.scale + lane, scale.scale);
    for (int64_t i = 0; i < p.rows; i += 2) {
      store_pairs(load(x + i * kPanelColumns), load(x + (i + 1) * kPanelColumns), scale,
                  reinterpret_cast<int32_t*>(p.q) + i / 2 * kPanelColumns + lane);
    }
  }
}

int64_t quantize_columns(const Int16Columns& c) {
  IntVec largest{};
  for (int64_t j = 0; j < c.columns; j += kLanes) {
    const float* x = c.x + j;
    const int64_t left = c.columns - j;
    IntVec most{};
    for (int64_t i = 0; i < c.rows; ++i) {
      most = larger(most, magnitude_bits(load_first(x + i * c.x_stride, left)));
    }
    const Scale scale = scale_of(most);
    store(c.scale + j, scale.scale);
    IntVec sums{};
    for (int64_t i = 0; i < c.rows; i += 2) {
      const Vec first = load_first(x + i * c.x_stride, left);
      const Vec second = i + 1 < c.rows ? load_first(x + (i + 1) * c.x_stride, left) : Vec{};
      sums += store_pairs(first, second, scale,
                          reinterpret_cast<int32_t*>(c.q + i / 2 * c.q_stride) + j);
    }
    largest = larger(largest, sums);
  }
  return largest_lane(largest);
}

int64_t largest_sum(const int16_t* q, int64_t rows, int64_t terms) {
  const IntVec ones = broadcast_int(0x10001);
  IntVec largest{};
  for (int64_t first = 0; first < rows; first += terms) {
    const int64_t end = min_of(first + terms, rows) / 2;
    for (int64_t lane = 0; lane < kPanelColumns; lane += kLanes) {
      IntVec sum{};
      for (int64_t i = first / 2; i < end; ++i) {
        const auto* pairs = reinterpret_cast<const int32_t*>(q) + i * kPanelColumns + lane;
        add_pairs<false>(sum, magnitudes_i16(load_int(pairs)), ones);
      }
      largest = larger(largest, sum);
    }
  }
  return largest_lane(largest);
}

// ---- products ----

#if defined(HANOK_ISA_avx2)
constexpr int kInt16TileRows = 4;
#else
constexpr int kInt16TileRows = kTileRows;
#endif
// Elements of B that stay in L2 beside the rest: C, where it goes to memory, is then finished row
// by row.
constexpr int64_t kSmallB = 65536;
constexpr int kTileVectors = 2;
constexpr int64_t kTileColumns = kTileVectors * kLanes;

struct Tile {
  const Int16Block& block;
  const int16_t* a;
  const float* a_scale;
  const int64_t* c_row_offset;
  const char* prefetch[2];  // memory needed soon: a line of each is prefetched per step of k,
  int64_t prefetch_step;    // this many bytes further each time
  float* earlier;           // sums of the runs of terms before the last one
};

// Sums of integers -> C: scales, previous content, epilogue, store.
template <int kRows, int kVectors>
inline __attribute__((always_inline)) void finish_tile(const Tile& t, int64_t column,
                                                       const Vec (&b_scale)[kVectors],
                                                       Vec (&sums)[kRows][kVectors]) {
  const Int16Block& g = t.block;
  const bool whole = column + kVectors * kLanes <= g.columns;
#pragma GCC unroll 2
  for (int h = 0; h < kVectors; ++h) {
    const int64_t at = column + h * kLanes;
    float* c = g.c + at;
#pragma GCC unroll 12
    for (int i = 0; i < kRows; ++i) {
      sums[i][h] = sums[i][h] * (broadcast(t.a_scale[i]) * b_scale[h]);
    }
    if (!whole) {
      const int64_t n = g.columns - at;
      for (int i = 0; i < kRows; ++i) {
        const int64_t offset = t.c_row_offset[i];
        Vec v = sums[i][h];
        if (g.accumulate) v = load_first(c + offset, n) + v;
        if (g.epilogue) {
          v = with_epilogue<Rounding::SameOnAllPaths>(*g.epilogue, at, offset + at, n, v);
        }
        store_first(c + offset, v, n);
      }
      continue;
    }
    if (g.accumulate) {
#pragma GCC unroll 12
      for (int i = 0; i < kRows; ++i) sums[i][h] = load(c + t.c_row_offset[i]) + sums[i][h];
    }
    if (g.epilogue) {
      apply_epilogue<Rounding::SameOnAllPaths>(*g.epilogue, at, t.c_row_offset, h, sums);
    }
#pragma GCC unroll 12
    for (int i = 0; i < kRows; ++i) store(c + t.c_row_offset[i], sums[i][h]);
  }
}

// Sums that would overflow with more terms go to floats: earlier (+)= acc.
template <int kRows, int kVectors>
inline void add_to_earlier(bool accumulate, const IntVec (&acc)[kRows][kVectors], float* earlier) {
#pragma GCC unroll 12
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 2
    for (int h = 0; h < kVectors; ++h) {
      float* to = earlier + (i * kVectors + h) * kLanes;
      const Vec sum = to_float(acc[i][h]);
      store(to, accumulate ? load(to) + sum : sum);
    }
  }
}

// C [kRows, columns of kVectors vectors from `column` on].
template <int kRows, int kVectors, bool kVnni>
void run_tile(const Tile& t, int64_t column) {
  const Int16Block& g = t.block;
  const int32_t* b[kVectors];  // pairs
  Vec b_scale[kVectors];
#pragma GCC unroll 2
  for (int h = 0; h < kVectors; ++h) {
    const int64_t at = column + h * kLanes;
    const int64_t panel = at / kPanelColumns;
    const int64_t lane = at % kPanelColumns;
    b[h] = reinterpret_cast<const int32_t*>(g.b + panel * g.b_panel_stride) + lane;
    b_scale[h] = load(g.b_scale + panel * g.b_scale_stride + lane);
  }
  if (g.fetch_c) {  // C is needed last: prefetch it first
#pragma GCC unroll 12
    for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 2
      for (int h = 0; h < kVectors; ++h) {
        const int64_t at = t.c_row_offset[i] + column + h * kLanes;
        fetch_to_write(g.c + at);
        if (g.epilogue && g.epilogue->residual) __builtin_prefetch(g.epilogue->residual + at);
      }
    }
  }
  const char* prefetch0 = t.prefetch[0];
  const char* prefetch1 = t.prefetch[1];
  const int64_t prefetch_step = t.prefetch_step;
  IntVec acc[kRows][kVectors];
  int64_t first = 0;
  while (true) {
#pragma GCC unroll 12
    for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 2
      for (int h = 0; h < kVectors; ++h) acc[i][h] = IntVec{};
    }
    const int64_t steps = min_of(g.exact_terms, g.k - first) / 2;
    constexpr int kBases = (kRows + 2) / 3;
    const int64_t row = g.a_row_stride;
    const int16_t* a[kBases];
    a[0] = t.a + first / 2 * g.a_pair_stride;
#pragma GCC unroll 4
    for (int i = 1; i < kBases; ++i) a[i] = a[i - 1] + 3 * row;
    const int64_t a_step = g.a_pair_stride;
    const int64_t b_step = g.b_pair_stride / 2;
    for (int64_t p = 0; p < steps; ++p) {
      __builtin_prefetch(prefetch0, 0, 2);  // into L2
      __builtin_prefetch(prefetch1, 0, 2);
      prefetch0 += prefetch_step;
      prefetch1 += prefetch_step;
      IntVec bs[kVectors];
#pragma GCC unroll 2
      for (int h = 0; h < kVectors; ++h) {
        bs[h] = load_int(b[h]);
        b[h] += b_step;
      }
#pragma GCC unroll 12
      for (int i = 0; i < kRows; ++i) {
        const IntVec pair = broadcast_pair(a[i / 3] + i % 3 * row);
#pragma GCC unroll 2
        for (int h = 0; h < kVectors; ++h) add_pairs<kVnni>(acc[i][h], pair, bs[h]);
      }
#pragma GCC unroll 4
      for (int i = 0; i < kBases; ++i) a[i] += a_step;
    }
    if (first + g.exact_terms >= g.k) break;
    add_to_earlier<kRows, kVectors>(first > 0, acc, t.earlier);
    first += g.exact_terms;
  }
  Vec sums[kRows][kVectors];
#pragma GCC unroll 12
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 2
    for (int h = 0; h < kVectors; ++h) sums[i][h] = to_float(acc[i][h]);
  }
  if (first > 0) {
#pragma GCC unroll 12
    for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 2
      for (int h = 0; h < kVectors; ++h) {
        sums[i][h] = load(t.earlier + (i * kVectors + h) * kLanes) + sums[i][h];
      }
    }
  }
  finish_tile<kRows, kVectors>(t, column, b_scale, sums);
}

template <int kVectors, bool kVnni, int kRows = kInt16TileRows>
void run_tile_rows(const Tile& t, int64_t rows, int64_t column) {
  if constexpr (kRows > 1) {
    if (rows < kRows) return run_tile_rows<kVectors, kVnni, kRows - 1>(t, rows, column);
  }
  run_tile<kRows, kVectors, kVnni>(t, column);
}

// The tile prefetches B from `column` on, a line of both halves of its vectors in each step.
void fetch_panels(const Int16Block& g, int64_t column, Tile& t) {
  const int64_t last = (g.columns - 1) / kPanelColumns;
  for (int h = 0; h < 2; ++h) {
    const int64_t panel = min_of(column / kPanelColumns + h, last);
    t.prefetch[h] = reinterpret_cast<const char*>(g.b + panel * g.b_panel_stride);
  }
  t.prefetch_step = g.b_pair_stride * static_cast<int64_t>(sizeof(int16_t));
}

template <bool kVnni>
void multiply_by(const Int16Block& g) {
  float earlier[kInt16TileRows * kTileColumns] = {};
  Tile t{g, g.a, g.a_scale, g.c_row_offset, {}, 0, earlier};
  int64_t fetched = 0;
  const auto next_row = [&]() -> const char* {
    const void* row = fetched < g.fetch_count ? (const void*)g.fetch_rows[fetched++] : g.a;
    return static_cast<const char*>(row);
  };
  const auto run = [&](int64_t i, int64_t column) {
    t.a = g.a + i * g.a_row_stride;
    t.a_scale = g.a_scale + i;
    t.c_row_offset = g.c_row_offset + i;
    t.prefetch_step = fetched < g.fetch_count ? (2 * g.fetch_bytes + g.k - 1) / g.k : 0;
    for (const char*& prefetch : t.prefetch) prefetch = next_row();
    if (i == 0 && g.fetch_count == 0 && column + kTileColumns < g.columns) {
      fetch_panels(g, column + kTileColumns, t);
    }
    const int64_t rows = min_of(kInt16TileRows, g.rows - i);
    if (column + kLanes < g.columns) {
      run_tile_rows<2, kVnni>(t, rows, column);
    } else {
      run_tile_rows<1, kVnni>(t, rows, column);
    }
  };
  if (g.fetch_c && g.k * g.columns <= kSmallB) {
    for (int64_t i = 0; i < g.rows; i += kInt16TileRows) {
      for (int64_t column = 0; column < g.columns; column += kTileColumns) run(i, column);
    }
    return;
  }
  for (int64_t column = 0; column < g.columns; column += kTileColumns) {
    for (int64_t i = 0; i < g.rows; i += kInt16TileRows) run(i, column);
  }
}

}  // namespace

const Int16Kernels int16 = {quantize_rows,    quantize_panel,     quantize_columns,
                            largest_sum,      multiply_by<false>,
#ifdef HANOK_ISA_avx512
                            multiply_by<true>
#else
                            nullptr
#endif
};

}  // namespace hanok::cpu::HANOK_ISA
