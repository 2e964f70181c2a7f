// Weight gradient by implicit GEMM with products in dynamic fixed point:
//   dw [K, R*S*C] = dy^T [K, pixels] * patches(x) [pixels, R*S*C].
//
// The loops of implicit_gemm_backward_weights.cpp. The sum runs over pixels, so that a scale
// belongs to a channel over a run of 64 pixels, and pairs are neighbouring pixels (Int16Columns). A
// run's 64 products are exact where the magnitudes of each column of patches sum to at most 32 *
// 8191, which is known once it is quantised; else the run is cut in two.
#include <algorithm>
#include <array>
#include <limits>

#include "hanok/kernels/cpu/conv2d/implicit_gemm_int16.h"
#include "hanok/kernels/cpu/conv2d/implicit_gemm_problem.h"
#include "hanok/kernels/cpu/conv2d/implicit_gemm_weights_cut.h"
#include "hanok/kernels/cpu/conv2d/patches.h"

namespace hanok::cpu::implicit_gemm_int16 {
namespace {

using implicit_gemm::TaskRows;
using implicit_gemm::WeightsCut;
using implicit_gemm::WeightsTask;

constexpr TaskRows kTaskRows = {384, 12};  // larger than of floats, to quantise less of dy twice
constexpr std::int64_t kRunPixels = 64;    // that share scales

// Columns of a run of pixels as integers: pairs of pixels [32][columns][2], and a scale for each.
struct Columns {
  std::int64_t stride;  // integers from a pair to the next
  std::int16_t* q;
  float* scale;

  static std::int64_t floats(std::int64_t columns) {
    return packed_row_stride(columns) * (kRunPixels / 2 + 1);
  }
  Columns(std::int64_t columns, float* memory)
      : stride(2 * packed_row_stride(columns)),
        q(reinterpret_cast<std::int16_t*>(memory)),
        scale(memory + packed_row_stride(columns) * kRunPixels / 2) {}

  // From x [rows, columns]; returns the largest sum of a column's magnitudes.
  std::int64_t quantize(const Int16Kernels& kernels, const float* x, std::int64_t x_stride,
                        std::int64_t rows, std::int64_t columns) const {
    return kernels.quantize_columns({.x = x,
                                     .rows = rows,
                                     .columns = columns,
                                     .x_stride = x_stride,
                                     .q = q,
                                     .q_stride = stride,
                                     .scale = scale});
  }
};

}  // namespace

std::size_t backward_weights_workspace_bytes(const Conv2dShape& s) {
  return static_cast<std::size_t>(WeightsCut(s, kTaskRows).part_floats()) * sizeof(float);
}

void backward_weights(ExecContext& context, const IsaKernels& kernels, const Conv2dShape& s,
                      const float* x, const float* dy, float* dw) {
  const Int16Kernels& int16 = int16_kernels_for(kernels);
  const WeightsCut cut(s, kTaskRows);
  const Patches patches = forward_patches(s);
  implicit_gemm::run_weights_tasks(context, kernels.gemm, s, cut, dw, [&](const WeightsTask& task) {
    if (task.first_pixel >= task.last_pixel) {
      for (std::int64_t r = 0; r < task.rows; ++r) {
        std::fill_n(task.dw + r * cut.filter, task.columns, 0.0F);
      }
      return;
    }
    const PatchSource source =
        patches.source(x + task.group * s.c_per_group(), s.h, s.w, s.c, s.c_per_group());
    // Rows of floats are copied first: in the image, a column's numbers lie a page apart.
    const std::int64_t x_stride = packed_row_stride(cut.columns);
    const std::int64_t dy_stride = packed_row_stride(cut.rows);
    const std::int64_t floats = kRunPixels * std::max(x_stride, dy_stride);
    float* copied =
        thread_scratch(floats + Columns::floats(cut.rows) + Columns::floats(cut.columns));
    const Columns a(cut.rows, copied + floats);
    const Columns b(cut.columns, copied + floats + Columns::floats(cut.rows));
    std::array<std::int64_t, kTaskRows.most> row_offsets;
    for (std::int64_t r = 0; r < task.rows; ++r) {
      row_offsets[static_cast<std::size_t>(r)] = r * cut.filter;
    }
    Int16Block block{};
    block.rows = task.rows;
    block.columns = task.columns;
    block.a = a.q;
    block.a_scale = a.scale;
    block.b = b.q;
    block.b_scale = b.scale;
    block.a_row_stride = 2;
    block.a_pair_stride = a.stride;
    block.b_panel_stride = 2 * kPanelColumns;
    block.b_pair_stride = b.stride;
    block.b_scale_stride = kPanelColumns;
    block.c = task.dw;
    block.c_row_offset = row_offsets.data();
    const float* gradient = dy + task.group * s.k_per_group() + task.row;
    for (std::int64_t m = task.first_pixel; m < task.last_pixel; m += kRunPixels) {
      const std::int64_t pixels = std::min(kRunPixels, task.last_pixel - m);
      kernels.gemm.copy_rows(gradient + m * s.k, s.k, pixels, task.rows, copied, dy_stride);
      a.quantize(int16, copied, dy_stride, pixels, task.rows);
      kernels.gemm.gather_patches(source, m, m + pixels, task.column, task.column + task.columns,
                                  copied, x_stride);
      const std::int64_t sum = b.quantize(int16, copied, x_stride, pixels, task.columns);
      const bool exact = kInt16Most * sum <= std::numeric_limits<std::int32_t>::max();
      block.k = round_up(pixels, 2);
      block.exact_terms = exact ? kRunPixels : kInt16SafeTerms;
      block.accumulate = m > task.first_pixel;
      multiply(int16, block);
    }
  });
}

}  // namespace hanok::cpu::implicit_gemm_int16
