// What Winograd convolutions with products in dynamic fixed point share
// (kernels/cpu/isa/int16.cpp): transformed tiles and transformed filters as integers, the factors
// of a sum over channels. Those of a sum over tiles are quantized::Columns.
//
// Scales belong to one tile or to one filter, so that results do not depend on how tiles are cut
// into blocks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "hanok/kernels/base/thread_pool.h"
#include "hanok/kernels/cpu/conv2d/quantized.h"
#include "hanok/kernels/cpu/conv2d/winograd_tiles.h"
#include "hanok/kernels/cpu/gemm.h"
#include "hanok/kernels/cpu/isa/int16.h"

namespace hanok::cpu::winograd_int16 {

/// V: the transform of a block's tiles as integers, [points][tiles, channels], with a scale for
/// each point of a tile.
class QuantizedTiles {
 public:
  QuantizedTiles(std::int64_t tiles, std::int64_t channels, std::int64_t points = kWinogradPoints)
      : layout_(tiles, channels / 2, points), tiles_(tiles) {}

  /// Memory that they need.
  std::int64_t floats() const {
    return layout_.floats() + round_up(layout_.points * tiles_, kPanelColumns);
  }
  void lie_at(float* memory) {
    v_ = reinterpret_cast<std::int16_t*>(memory);
    scales_ = memory + layout_.floats();
  }
  /// As lie_at, for few tiles, which all threads read.
  void lie_at_shared(ThreadPool& pool, float* memory) {
    lie_at(memory);
    shared_ = pool.threads() > 1;
  }

  /// Points of a tile's transform that lie side by side: point `first` + i is
  /// x[i * stride .. + channels).
  struct Points {
    std::int64_t first, count, channels;
    const float* x;
    std::int64_t stride;
  };
  void set(const Int16Kernels& kernels, std::int64_t tile, const Points& points) const {
    kernels.quantize_rows({.x = points.x,
                           .rows = points.count,
                           .columns = points.channels,
                           .x_stride = points.stride,
                           .q = row(points.first, tile),
                           .q_stride = 2 * layout_.point_stride,
                           .scale = scales_ + points.first * tiles_ + tile,
                           .scale_stride = tiles_,
                           .stream = shared_});
  }

  /// Makes some tiles' point the left factor of a product.
  void set_factor(Int16Block& block, std::int64_t point,
                  winograd_tiles::SortedTiles::Range tiles) const {
    block.rows = tiles.end - tiles.begin;
    block.a = row(point, tiles.begin);
    block.a_row_stride = 2 * layout_.tile_stride;
    block.a_scale = scales_ + point * tiles_ + tiles.begin;
  }

 private:
  std::int16_t* row(std::int64_t point, std::int64_t tile) const {
    return v_ + 2 * (point * layout_.point_stride + tile * layout_.tile_stride);
  }

  winograd_tiles::TileLayout layout_;  // in pairs of integers, as large as a float
  std::int64_t tiles_;
  bool shared_ = false;
  std::int16_t* v_ = nullptr;
  float* scales_ = nullptr;
};

/// U: transformed filters. For each panel of 16 output channels some matrices [k, 16] of integers,
/// one for each product, each after the 16 scales of its columns; in front of all, the number of
/// terms that no sum overflows with.
class QuantizedFilters {
 public:
  /// `rows`: k of each of a panel's matrices, multiples of 2.
  QuantizedFilters(std::int64_t out_channels, const std::vector<std::int64_t>& rows);

  std::size_t bytes() const;

  /// Columns [column, column + columns) while they are packed.
  class Panel {
   public:
    std::int64_t column, columns;
    /// Matrix `index` becomes that of u [rows, 16].
    void set(std::int64_t index, const float* u);

   private:
    friend class QuantizedFilters;
    Panel(const QuantizedFilters& filters, const Int16Kernels& kernels, float* packed,
          std::int64_t panel);
    const QuantizedFilters& filters_;
    const Int16Kernels& kernels_;
    float* memory_;
    std::int64_t terms_;  // that no sum of the matrices so far overflows with
  };

  /// Calls transform(panel), which sets all matrices of a panel, for all panels in parallel.
  template <typename F>
  void pack(ThreadPool& pool, const Int16Kernels& kernels, float* packed, F transform) const {
    std::vector<std::int64_t> terms(static_cast<std::size_t>(panels_));
    pool.run(panels_, [&](std::int64_t index) {
      Panel panel(*this, kernels, packed, index);
      transform(panel);
      terms[static_cast<std::size_t>(index)] = panel.terms_;
    });
    quantized::store_terms(terms, packed);
  }

  /// Makes matrix `index` of the panels from `column` on, a multiple of 16, the right factor of a
  /// product.
  void set_factor(Int16Block& block, const float* packed, std::int64_t index, std::int64_t column,
                  std::int64_t columns) const;

 private:
  std::int64_t panel_floats() const { return begins_.back(); }

  std::int64_t out_channels_, panels_;
  std::vector<std::int64_t> rows_;
  std::vector<std::int64_t> begins_;  // of a panel's matrices, in floats; then the panel's size
};

}  // namespace hanok::cpu::winograd_int16
