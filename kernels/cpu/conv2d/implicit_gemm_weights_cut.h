// How the weight gradient by implicit GEMM is cut into tasks: shared by products of floats and of
// integers. implicit_gemm_backward_weights.cpp says why.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "hanok/kernels/conv2d.h"
#include "hanok/kernels/cpu/gemm.h"
#include "hanok/kernels/cpu/isa.h"

namespace hanok::cpu::implicit_gemm {

constexpr std::int64_t kPixelBlock = 192;
constexpr std::int64_t kMostWeightColumns = 384;  // of R*S*C: 24 panels

/// Rows of a task: at most `most`, in multiples of a register tile's.
struct TaskRows {
  std::int64_t most, tile;
};

struct WeightsCut {
  std::int64_t filter;  // R*S*C/groups
  std::int64_t rows, row_blocks;
  std::int64_t columns, column_blocks;
  std::int64_t slice_pixels, slices;
  std::int64_t weights;  // numbers of dw

  WeightsCut(const Conv2dShape& shape, TaskRows task_rows);
  /// Of the slices' gradients but the first, which adds up in dw itself.
  std::int64_t part_floats() const { return (slices - 1) * weights; }
};

/// One task: some pixels of one group, rows [row, row + rows) and columns [column, ...) of dw.
struct WeightsTask {
  std::int64_t group, row, rows, column, columns;
  std::int64_t first_pixel, last_pixel;
  float* dw;  // [rows, columns], cut.filter floats a row
};

/// Calls run_task(task) for all tasks, in parallel, and adds the slices in index order. A slice
/// without pixels (an empty batch) is a task, too: it stores zeros.
template <typename F>
void run_weights_tasks(ExecContext& context, const GemmKernels& kernels, const Conv2dShape& s,
                       const WeightsCut& cut, float* dw, const F& run_task) {
  Workspace::Scope scope(context.workspace);
  float* parts = cut.slices > 1 ? scope.take_array<float>(cut.part_floats()) : nullptr;
  const std::int64_t outputs = cut.row_blocks * cut.column_blocks;
  const std::int64_t pixels = s.n * s.p() * s.q();
  context.pool.run(cut.slices * s.groups * outputs, [&](std::int64_t i) {
    const std::int64_t slice = i / (s.groups * outputs);
    WeightsTask task{};
    task.group = i / outputs % s.groups;
    task.row = i % outputs / cut.column_blocks * cut.rows;
    task.column = i % cut.column_blocks * cut.columns;
    task.rows = std::min(cut.rows, s.k_per_group() - task.row);
    task.columns = std::min(cut.columns, cut.filter - task.column);
    task.first_pixel = slice * cut.slice_pixels;
    task.last_pixel = std::min(task.first_pixel + cut.slice_pixels, pixels);
    float* out = slice == 0 ? dw : parts + (slice - 1) * cut.weights;
    task.dw = out + (task.group * s.k_per_group() + task.row) * cut.filter + task.column;
    run_task(task);
  });
  if (cut.slices == 1) return;
  context.pool.run_blocks(cut.weights, 8192, [&](std::int64_t begin, std::int64_t end) {
    kernels.add_parts(parts + begin, cut.slices - 1, cut.weights, end - begin, dw + begin);
  });
}

}  // namespace hanok::cpu::implicit_gemm
