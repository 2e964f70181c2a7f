#include "hanok/kernels/cpu/conv2d/winograd_int16.h"

#include <algorithm>

namespace hanok::cpu::winograd_int16 {

namespace {

const std::int16_t* integers(const float* matrix) {
  return reinterpret_cast<const std::int16_t*>(matrix + kPanelColumns);
}

}  // namespace

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
  return static_cast<std::size_t>(quantized::kTermsFloats + panels_ * panel_floats()) *
         sizeof(float);
}

QuantizedFilters::Panel::Panel(const QuantizedFilters& filters, const Int16Kernels& kernels,
                               float* packed, std::int64_t panel)
    : column(panel * kPanelColumns),
      columns(std::min(kPanelColumns, filters.out_channels_ - column)),
      filters_(filters),
      kernels_(kernels),
      memory_(packed + quantized::kTermsFloats + panel * filters.panel_floats()),
      terms_(*std::max_element(filters.rows_.begin(), filters.rows_.end())) {}

void QuantizedFilters::Panel::set(std::int64_t index, const float* u) {
  const auto i = static_cast<std::size_t>(index);
  float* scales = memory_ + filters_.begins_[i];
  auto* q = reinterpret_cast<std::int16_t*>(scales + kPanelColumns);
  kernels_.quantize_panel({.x = u, .rows = filters_.rows_[i], .q = q, .scale = scales});
  terms_ = quantized::proven_terms(kernels_, q, filters_.rows_[i], terms_);
}

void QuantizedFilters::set_factor(Int16Block& block, const float* packed, std::int64_t index,
                                  std::int64_t column, std::int64_t columns) const {
  const auto i = static_cast<std::size_t>(index);
  const float* matrix =
      packed + quantized::kTermsFloats + column / kPanelColumns * panel_floats() + begins_[i];
  block.columns = columns;
  block.k = rows_[i];
  block.exact_terms = quantized::load_terms(packed);
  block.b = integers(matrix);
  block.b_panel_stride = 2 * panel_floats();
  block.b_scale = matrix;
  block.b_scale_stride = panel_floats();
}

}  // namespace hanok::cpu::winograd_int16
