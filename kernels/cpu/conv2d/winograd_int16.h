// What Winograd convolutions with products in dynamic fixed point share
// (kernels/cpu/isa/int16.cpp): transformed tiles and transformed filters as integers, and the
// products of a point of both.
//
// Scales belong to one tile or to one filter, so that results do not depend on how tiles are cut
// into blocks. In a sum over tiles they belong to a channel over a run of tiles.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "hanok/kernels/base/thread_pool.h"
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
                           .scale_stride = tiles_});
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
  std::int16_t* v_ = nullptr;
  float* scales_ = nullptr;
};

/// Tiles whose transforms share a scale in QuantizedColumns.
constexpr std::int64_t kRunTiles = 64;

/// A block's transformed tiles as factors of a sum over tiles: pairs of neighbouring tiles
/// [points][runs][tiles / 2, channels][2]; of each run of at most 64 tiles, scales
/// [points][runs][channels] and how many terms of a sum are exact [points][runs][channels / 16].
class QuantizedColumns {
 public:
  static constexpr std::int64_t kGroup = kPanelColumns;  // channels that are quantised together

  QuantizedColumns(std::int64_t runs, std::int64_t channels, std::int64_t points = kWinogradPoints)
      : layout_(runs * kRunTiles / 2, channels, points),
        runs_(runs),
        groups_(divide_up(channels, kGroup)) {}

  /// Memory that they need.
  std::int64_t floats() const {
    return round_up(layout_.floats() + layout_.points * runs_ * groups_ * (kGroup + 1),
                    kPanelColumns);
  }
  void lie_at(float* memory) {
    q_ = reinterpret_cast<std::int16_t*>(memory);
    scales_ = memory + layout_.floats();
    terms_ = reinterpret_cast<std::int32_t*>(scales_ + layout_.points * runs_ * groups_ * kGroup);
  }

  /// Channels [channel, channel + count) of a point, of one group, of some tiles: tile i is
  /// x[i * stride .. + count).
  struct Channels {
    std::int64_t point, channel, count, tiles;
    const float* x;
    std::int64_t stride;
  };
  /// Those of the tiles of a run that need the point.
  void set(const Int16Kernels& kernels, std::int64_t run, const Channels& channels) const;

  /// A point's channels from one on.
  struct Factor {
    const QuantizedColumns& columns;
    std::int64_t point, channel;
  };
  /// C (+)= a^T b over `tiles` tiles of a run, those that need the point; `block` holds the rest:
  /// the size, C, and whether it has sums already.
  static void multiply(const Int16Kernels& kernels, std::int64_t run, std::int64_t tiles,
                       const Factor& a, const Factor& b, Int16Block block);

 private:
  std::int64_t pair_stride() const { return 2 * layout_.tile_stride; }
  std::int16_t* q(std::int64_t point, std::int64_t run, std::int64_t channel) const {
    return q_ + 2 * (point * layout_.point_stride + channel) + run * kRunTiles / 2 * pair_stride();
  }
  float* scales(std::int64_t point, std::int64_t run, std::int64_t channel) const {
    return scales_ + (point * runs_ + run) * groups_ * kGroup + channel;
  }
  std::int32_t* terms(std::int64_t point, std::int64_t run, std::int64_t channel) const {
    return terms_ + (point * runs_ + run) * groups_ + channel / kGroup;
  }

  winograd_tiles::TileLayout layout_;  // a pair is as large as a float
  std::int64_t runs_, groups_;
  std::int16_t* q_ = nullptr;
  float* scales_ = nullptr;
  std::int32_t* terms_ = nullptr;
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
    store_terms(terms, packed);
  }

  /// Makes matrix `index` of the panels from `column` on, a multiple of 16, the right factor of a
  /// product.
  void set_factor(Int16Block& block, const float* packed, std::int64_t index, std::int64_t column,
                  std::int64_t columns) const;

 private:
  std::int64_t panel_floats() const { return begins_.back(); }
  static void store_terms(const std::vector<std::int64_t>& terms, float* packed);

  std::int64_t out_channels_, panels_;
  std::vector<std::int64_t> rows_;
  std::vector<std::int64_t> begins_;  // of a panel's matrices, in floats; then the panel's size
};

/// C = A * B by the fastest instructions that the CPU has.
void multiply(const Int16Kernels& kernels, const Int16Block& block);

}  // namespace hanok::cpu::winograd_int16
