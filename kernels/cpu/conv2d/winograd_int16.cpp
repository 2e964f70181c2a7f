#include "hanok/kernels/cpu/conv2d/winograd_int16.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "hanok/kernels/cpu/isa.h"

namespace hanok::cpu::winograd_int16 {

namespace {

constexpr std::int64_t kHeaderFloats = 16;  // exact_terms, and the rest of its cache line

const std::int16_t* integers(const float* matrix) {
  return reinterpret_cast<const std::int16_t*>(matrix + kPanelColumns);
}

// The most terms, but not many more than `enough`, that no sum over this matrix overflows with: 32,
// doubled as often as proven.
std::int64_t proven_terms(const Int16Kernels& kernels, const std::int16_t* q, std::int64_t rows,
                          std::int64_t enough) {
  std::int64_t terms = kInt16SafeTerms;
  while (terms < enough) {
    const std::int64_t sum = kernels.largest_sum(q, rows, 2 * terms);
    if (kInt16Most * sum > std::numeric_limits<std::int32_t>::max()) break;
    terms *= 2;
  }
  return terms;
}

}  // namespace

void QuantizedColumns::set(const Int16Kernels& kernels, std::int64_t run, const Channels& c) const {
  const std::int64_t sum = kernels.quantize_columns({.x = c.x,
                                                     .rows = c.tiles,
                                                     .columns = c.count,
                                                     .x_stride = c.stride,
                                                     .q = q(c.point, run, c.channel),
                                                     .q_stride = pair_stride(),
                                                     .scale = scales(c.point, run, c.channel)});
  const bool exact = kInt16Most * sum <= std::numeric_limits<std::int32_t>::max();
  *terms(c.point, run, c.channel) = exact ? kRunTiles : kInt16SafeTerms;
}

void QuantizedColumns::multiply(const Int16Kernels& kernels, std::int64_t run, std::int64_t tiles,
                                const Factor& a, const Factor& b, Int16Block block) {
  if (tiles == 0) {
    if (block.accumulate) return;
    for (std::int64_t i = 0; i < block.rows; ++i) {
      std::fill_n(block.c + block.c_row_offset[i], block.columns, 0.0F);
    }
    return;
  }
  block.a_row_stride = 2;
  block.a_pair_stride = a.columns.pair_stride();
  block.a_scale = a.columns.scales(a.point, run, a.channel);
  block.b_panel_stride = 2 * kPanelColumns;
  block.b_pair_stride = b.columns.pair_stride();
  block.b_scale = b.columns.scales(b.point, run, b.channel);
  block.b_scale_stride = kPanelColumns;
  const std::int32_t* first_group = b.columns.terms(b.point, run, b.channel);
  const std::int32_t* last_group = b.columns.terms(b.point, run, b.channel + block.columns - 1);
  block.exact_terms = *std::min_element(first_group, last_group + 1);
  block.k = round_up(tiles, 2);
  block.a = a.columns.q(a.point, run, a.channel);
  block.b = b.columns.q(b.point, run, b.channel);
  winograd_int16::multiply(kernels, block);
}

QuantizedFilters::QuantizedFilters(std::int64_t out_channels, const std::vector<std::int64_t>& rows)
    : out_channels_(out_channels), panels_(divide_up(out_channels, kPanelColumns)), rows_(rows) {
  std::int64_t begin = 0;
  for (const std::int64_t k : rows_) {
    begins_.push_back(begin);
    // An odd number of cache lines: matrices begin in all sets of the caches.
    begin += kPanelColumns + packed_row_stride(k * kPanelColumns / 2);
  }
  begins_.push_back(begin);
}

std::size_t QuantizedFilters::bytes() const {
  return static_cast<std::size_t>(kHeaderFloats + panels_ * panel_floats()) * sizeof(float);
}

QuantizedFilters::Panel::Panel(const QuantizedFilters& filters, const Int16Kernels& kernels,
                               float* packed, std::int64_t panel)
    : column(panel * kPanelColumns),
      columns(std::min(kPanelColumns, filters.out_channels_ - column)),
      filters_(filters),
      kernels_(kernels),
      memory_(packed + kHeaderFloats + panel * filters.panel_floats()),
      terms_(*std::max_element(filters.rows_.begin(), filters.rows_.end())) {}

void QuantizedFilters::Panel::set(std::int64_t index, const float* u) {
  const auto i = static_cast<std::size_t>(index);
  float* scales = memory_ + filters_.begins_[i];
  auto* q = reinterpret_cast<std::int16_t*>(scales + kPanelColumns);
  kernels_.quantize_panel({.x = u, .rows = filters_.rows_[i], .q = q, .scale = scales});
  terms_ = proven_terms(kernels_, q, filters_.rows_[i], terms_);
}

void QuantizedFilters::store_terms(const std::vector<std::int64_t>& terms, float* packed) {
  const std::int64_t fewest = *std::min_element(terms.begin(), terms.end());
  std::memcpy(packed, &fewest, sizeof fewest);
}

void QuantizedFilters::set_factor(Int16Block& block, const float* packed, std::int64_t index,
                                  std::int64_t column, std::int64_t columns) const {
  const auto i = static_cast<std::size_t>(index);
  const float* matrix =
      packed + kHeaderFloats + column / kPanelColumns * panel_floats() + begins_[i];
  block.columns = columns;
  block.k = rows_[i];
  std::memcpy(&block.exact_terms, packed, sizeof block.exact_terms);
  block.b = integers(matrix);
  block.b_panel_stride = 2 * panel_floats();
  block.b_scale = matrix;
  block.b_scale_stride = panel_floats();
}

void multiply(const Int16Kernels& kernels, const Int16Block& block) {
  const bool vnni = kernels.multiply_vnni != nullptr && has_vnni();
  (vnni ? kernels.multiply_vnni : kernels.multiply)(block);
}

}  // namespace hanok::cpu::winograd_int16
