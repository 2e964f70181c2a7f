#include "hanok/kernels/cpu/conv2d/quantized.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "hanok/kernels/cpu/isa.h"

namespace hanok::cpu::quantized {
namespace {

// Whether products with a column whose magnitudes have this sum stay below 2^31.
bool is_exact(std::int64_t sum_of_magnitudes) {
  return kInt16Most * sum_of_magnitudes <= std::numeric_limits<std::int32_t>::max();
}

}  // namespace

void multiply(const Int16Kernels& kernels, const Int16Block& block) {
  const bool vnni = kernels.multiply_vnni != nullptr && has_vnni();
  (vnni ? kernels.multiply_vnni : kernels.multiply)(block);
}

std::int64_t proven_terms(const Int16Kernels& kernels, const std::int16_t* q, std::int64_t rows,
                          std::int64_t enough) {
  std::int64_t terms = kInt16SafeTerms;
  while (terms < enough && is_exact(kernels.largest_sum(q, rows, 2 * terms))) terms *= 2;
  return terms;
}

void store_terms(const std::vector<std::int64_t>& terms_of_panels, float* packed) {
  const std::int64_t fewest = *std::min_element(terms_of_panels.begin(), terms_of_panels.end());
  std::memcpy(packed, &fewest, sizeof fewest);
}

std::int64_t load_terms(const float* packed) {
  std::int64_t terms = 0;
  std::memcpy(&terms, packed, sizeof terms);
  return terms;
}

void Columns::set(const Int16Kernels& kernels, std::int64_t run, const Channels& c) const {
  const std::int64_t sum = kernels.quantize_columns({.x = c.x,
                                                     .rows = c.rows,
                                                     .columns = c.count,
                                                     .x_stride = c.stride,
                                                     .q = q(c.point, run, c.channel),
                                                     .q_stride = pair_stride(),
                                                     .scale = scales(c.point, run, c.channel)});
  std::fill_n(terms(c.point, run, c.channel), divide_up(c.count, kGroup),
              is_exact(sum) ? kRunRows : kInt16SafeTerms);
}

void Columns::multiply(const Int16Kernels& kernels, std::int64_t run, std::int64_t rows,
                       const Factor& a, const Factor& b, Int16Block block) {
  if (rows == 0) {
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
  block.k = round_up(rows, 2);
  block.a = a.columns.q(a.point, run, a.channel);
  block.b = b.columns.q(b.point, run, b.channel);
  quantized::multiply(kernels, block);
}

}  // namespace hanok::cpu::quantized
