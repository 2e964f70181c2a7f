// Weight gradient by implicit GEMM: dw [K, R*S*C] = dy^T [K, pixels] * patches(x) [pixels, R*S*C].
//
//   for each (slice of pixels, <= 126 of K, <= 384 of R*S*C)              one task
//     for each 192 pixels of the slice
//       copy dy [192, 126] and gather patches [192, 384] into scratch     97 KB + 300 KB, L2
//       GemmKernels::multiply, adding to the task's part of dw            dw tile in registers
//   sum the slices' gradients in index order
//
// Tasks are cut over dw first; the pixels are sliced only where dw alone gives too few tasks (the
// early layers: 64 x 576 are two pieces). Slices depend on the sizes alone. Both operands are read
// in memory order, pixel by pixel: for dy that is the k-major order that tiles need (a_row_stride
// 1). Every sum runs over 192 pixels in registers before it is added to dw, which keeps rounding
// errors of the long sum over all pixels small.
#include <algorithm>
#include <array>

#include "hanok/kernels/cpu/conv2d/implicit_gemm.h"
#include "hanok/kernels/cpu/conv2d/implicit_gemm_weights_cut.h"
#include "hanok/kernels/cpu/conv2d/patches.h"
#include "hanok/kernels/cpu/gemm.h"

namespace hanok::cpu::implicit_gemm {
namespace {

constexpr TaskRows kTaskRows = {126, 6};
constexpr std::int64_t kMinSlicePixels = 512;

}  // namespace

WeightsCut::WeightsCut(const Conv2dShape& s, TaskRows task_rows) {
  const std::int64_t kg = s.k_per_group();
  const std::int64_t pixels = s.n * s.p() * s.q();
  weights = s.k * s.r * s.s * s.c_per_group();
  filter = s.r * s.s * s.c_per_group();
  row_blocks = divide_up(kg, task_rows.most);
  rows = std::min(task_rows.most, round_up(divide_up(kg, row_blocks), task_rows.tile));
  row_blocks = divide_up(kg, rows);
  column_blocks = divide_up(filter, kMostWeightColumns);
  columns = round_up(divide_up(filter, column_blocks), kPanelColumns);
  column_blocks = divide_up(filter, columns);
  const std::int64_t outputs = s.groups * row_blocks * column_blocks;
  const std::int64_t wanted = divide_up(kWantedTasks, outputs);
  const std::int64_t most = std::max<std::int64_t>(pixels / kMinSlicePixels, 1);
  slices = std::min(wanted, most);
  slice_pixels =
      std::max<std::int64_t>(round_up(divide_up(pixels, slices), kPixelBlock), kPixelBlock);
  slices = std::max<std::int64_t>(divide_up(pixels, slice_pixels), 1);
}

std::size_t backward_weights_workspace_bytes(const Conv2dShape& s) {
  return static_cast<std::size_t>(WeightsCut(s, kTaskRows).part_floats()) * sizeof(float);
}

void backward_weights(ExecContext& context, const IsaKernels& isa_kernels, const Conv2dShape& s,
                      const float* x, const float* dy, float* dw) {
  const GemmKernels& kernels = isa_kernels.gemm;
  const WeightsCut cut(s, kTaskRows);
  const Patches patches = forward_patches(s);
  run_weights_tasks(context, kernels, s, cut, dw, [&](const WeightsTask& task) {
    const PatchSource source =
        patches.source(x + task.group * s.c_per_group(), s.h, s.w, s.c, s.c_per_group());
    GemmBlock block{};
    block.rows = task.rows;
    block.columns = task.columns;
    block.a_row_stride = 1;
    block.a_k_stride = packed_row_stride(cut.rows);
    block.b_panel_stride = kPanelColumns;
    block.b_k_stride = packed_row_stride(cut.columns);
    float* scratch = thread_scratch(kPixelBlock * (block.a_k_stride + block.b_k_stride));
    float* gathered = scratch + kPixelBlock * block.a_k_stride;
    block.a = scratch;
    block.b = gathered;
    std::array<std::int64_t, kTaskRows.most> row_offsets;
    for (std::int64_t r = 0; r < block.rows; ++r) {
      row_offsets[static_cast<std::size_t>(r)] = r * cut.filter;
    }
    block.c_row_offset = row_offsets.data();
    block.c = task.dw;
    const float* gradient = dy + task.group * s.k_per_group() + task.row;
    for (std::int64_t m = task.first_pixel; m == task.first_pixel || m < task.last_pixel;
         m += kPixelBlock) {
      block.k = std::max<std::int64_t>(std::min(kPixelBlock, task.last_pixel - m), 0);
      kernels.copy_rows(gradient + m * s.k, s.k, block.k, block.rows, scratch, block.a_k_stride);
      kernels.gather_patches(source, m, m + block.k, task.column, task.column + task.columns,
                             gathered, block.b_k_stride);
      block.accumulate = m > task.first_pixel;
      kernels.multiply(block);
    }
  });
}

}  // namespace hanok::cpu::implicit_gemm
