// The transforms of the stem's convolution, F(3x3, 4x4) over cells of 2x2 pixels.
//
// A cell's channels are the pixels' floats as they lie in memory: 2 * channels of its upper row and
// as many of its lower row. The vertical map works on whole rows of floats, whatever cells they
// belong to, once for all tiles of a row. The horizontal map takes one half of a cell (6 floats of
// an RGB image) a vector, read and stored as kStemFloats: the two floats too many are overwritten
// by the next half or lie in the padding.
#include "hanok/kernels/cpu/isa/winograd_stem.h"

#include <string.h>

#include "hanok/kernels/cpu/isa/isa_kernels.h"
#include "hanok/kernels/cpu/isa/winograd_transforms.h"

namespace hanok::cpu::HANOK_ISA {
namespace {

constexpr int kD = kStemInput;

// Pixels [w0, w0 + pixels) of a row, 0 outside of the image.
void copy_line(const StemRows& r, int64_t h, float* line) {
  const int64_t begin = r.w0 < 0 ? -r.w0 : 0;
  const int64_t end = min_of(2 * r.cells, r.width - r.w0);
  if (h < 0 || h >= r.height || begin >= end) {
    memset(line, 0, static_cast<size_t>(r.row_floats) * sizeof(float));
    return;
  }
  float* first = line + begin * r.channels;
  float* last = line + end * r.channels;
  memset(line, 0, static_cast<size_t>(first - line) * sizeof(float));
  memcpy(first, r.image + (h * r.width + r.w0 + begin) * r.channels,
         static_cast<size_t>(last - first) * sizeof(float));
  memset(last, 0, static_cast<size_t>(line + r.row_floats - last) * sizeof(float));
}

void transform_rows(const StemRows& r) {
  for (int64_t i = 0; i < 2 * kD; ++i) copy_line(r, r.h0 + i, r.lines + i * r.row_floats);
  for (int parity = 0; parity < 2; ++parity) {
    for (int64_t f = 0; f < r.row_floats; f += kLanes) {
      Vec d[kD];
      for (int i = 0; i < kD; ++i) {
        d[i] = load_channels(r.lines + (2 * i + parity) * r.row_floats + f, r.row_floats - f);
      }
      Vec out[kD];
      map_input(d, 1, out, 1);
      for (int p = 0; p < kD; ++p) {
        store_channels(r.out + (2 * p + parity) * r.row_floats + f, out[p], r.row_floats - f);
      }
    }
  }
}

void transform_cells(const StemTiles& t) {
  const int64_t half = 2 * t.channels;
  for (int64_t tile = t.tile_begin; tile < t.tile_end; ++tile) {
    float* out = t.out + (tile - t.tile_begin) * t.tile_stride;
    for (int p = 0; p < kD; ++p) {
      for (int parity = 0; parity < 2; ++parity) {
        const float* cells = t.rows + (2 * p + parity) * t.row_floats + tile * kStemTile * half;
        Vec d[kD];
        for (int j = 0; j < kD; ++j) d[j] = load_first(cells + j * half, kStemFloats);
        Vec row[kD];
        map_input(d, 1, row, 1);
        for (int q = 0; q < kD; ++q) {
          store_first(out + (p * kD + q) * t.point_stride + parity * half, row[q], kStemFloats);
        }
      }
    }
  }
}

void output_transform(const WinogradOutputBlock& b) { output_tiles<kStemTile, kD, map_output3>(b); }

// A y: 3 -> 6, the transpose of map_output3.
inline void map_gradient3(const Vec* y, int s, Vec* out, int t) {
  const Vec even1 = mul_add(broadcast(4.0F / 9), y[2 * s], y[0]);
  const Vec odd1 = broadcast(2.0F / 3) * y[s];
  const Vec even2 = mul_add(broadcast(9.0F / 4), y[2 * s], y[0]);
  const Vec odd2 = broadcast(3.0F / 2) * y[s];
  out[0] = y[0];
  store_pairs({even1, odd1, even2, odd2}, out, t);
  out[5 * t] = y[2 * s];
}

void gradient_transform(const WinogradInputBlock& b) {
  transform_tiles<kStemTile, kD, map_gradient3>(b, 0, 0);
}

}  // namespace

const WinogradStemKernels winograd_stem = {transform_rows, transform_cells, output_transform,
                                           gradient_transform};

}  // namespace hanok::cpu::HANOK_ISA
