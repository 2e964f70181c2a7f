// Weight gradient by implicit GEMM with products in dynamic fixed point:
//   dw [K, R*S*C] = dy^T [K, pixels] * patches(x) [pixels, R*S*C].
//
// The loops of implicit_gemm_backward_weights.cpp. The sum runs over pixels, so that a scale
// belongs to a channel over a run of 64 pixels, and pairs are neighbouring pixels (Int16Columns). A
// run's 64 products are exact where the magnitudes of each column of patches sum to at most 32 *
// 8191, which is known once it is quantised; else the run is cut in two.
#include <algorithm>
#include <array>

#include "hanok/kernels/cpu/conv2d/implicit_gemm_int16.h"
#include "hanok/kernels/cpu/conv2d/implicit_gemm_problem.h"
#include "hanok/kernels/cpu/conv2d/implicit_gemm_weights_cut.h"
#include "hanok/kernels/cpu/conv2d/patches.h"
#include "hanok/kernels/cpu/conv2d/quantized.h"

namespace hanok::cpu::implicit_gemm_int16 {
namespace {

using implicit_gemm::TaskRows;
using implicit_gemm::WeightsCut;
using implicit_gemm::WeightsTask;
using quantized::Columns;
using quantized::kRunRows;

constexpr TaskRows kTaskRows = {384, 12};  // larger than of floats, to quantise less of dy twice

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
    const std::int64_t floats = kRunRows * std::max(x_stride, dy_stride);
    Columns a(1, cut.rows, 1);
    Columns b(1, cut.columns, 1);
    float* copied = thread_scratch(floats + a.floats() + b.floats());
    a.lie_at(copied + floats);
    b.lie_at(copied + floats + a.floats());
    std::array<std::int64_t, kTaskRows.most> row_offsets;
    for (std::int64_t r = 0; r < task.rows; ++r) {
      row_offsets[static_cast<std::size_t>(r)] = r * cut.filter;
    }
    Int16Block block{};
    block.rows = task.rows;
    block.columns = task.columns;
    block.c = task.dw;
    block.c_row_offset = row_offsets.data();
    const float* gradient = dy + task.group * s.k_per_group() + task.row;
    for (std::int64_t m = task.first_pixel; m < task.last_pixel; m += kRunRows) {
      const std::int64_t pixels = std::min(kRunRows, task.last_pixel - m);
      kernels.gemm.copy_rows(gradient + m * s.k, s.k, pixels, task.rows, copied, dy_stride);
      a.set(int16, 0, {.count = task.rows, .rows = pixels, .x = copied, .stride = dy_stride});
      kernels.gemm.gather_patches(source, m, m + pixels, task.column, task.column + task.columns,
                                  copied, x_stride);
      b.set(int16, 0, {.count = task.columns, .rows = pixels, .x = copied, .stride = x_stride});
      block.accumulate = m > task.first_pixel;
      Columns::multiply(int16, 0, pixels, {a, 0, 0}, {b, 0, 0}, block);
    }
  });
}

}  // namespace hanok::cpu::implicit_gemm_int16
