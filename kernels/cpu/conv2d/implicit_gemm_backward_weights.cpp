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
#include "hanok/kernels/cpu/conv2d/patches.h"
#include "hanok/kernels/cpu/gemm.h"

namespace hanok::cpu::implicit_gemm {
namespace {

constexpr std::int64_t kPixelBlock = 192;
constexpr std::int64_t kMaxRows = 126;     // of K: 21 tiles of 6
constexpr std::int64_t kMaxColumns = 384;  // of R*S*C: 24 panels
constexpr std::int64_t kMinSlicePixels = 512;

// How the work of one convolution is divided.
struct Cut {
  std::int64_t filter;  // R*S*C/groups
  std::int64_t rows, row_blocks;
  std::int64_t columns, column_blocks;
  std::int64_t slice_pixels, slices;
};

Cut cut_work(const Conv2dShape& s) {
  Cut cut{};
  const std::int64_t kg = s.k_per_group();
  const std::int64_t pixels = s.n * s.p() * s.q();
  cut.filter = s.r * s.s * s.c_per_group();
  cut.row_blocks = divide_up(kg, kMaxRows);
  cut.rows = std::min(kMaxRows, round_up(divide_up(kg, cut.row_blocks), 6));
  cut.row_blocks = divide_up(kg, cut.rows);
  cut.column_blocks = divide_up(cut.filter, kMaxColumns);
  cut.columns = round_up(divide_up(cut.filter, cut.column_blocks), kPanelColumns);
  cut.column_blocks = divide_up(cut.filter, cut.columns);
  const std::int64_t outputs = s.groups * cut.row_blocks * cut.column_blocks;
  const std::int64_t wanted = divide_up(kWantedTasks, outputs);
  const std::int64_t most = std::max<std::int64_t>(pixels / kMinSlicePixels, 1);
  cut.slices = std::min(wanted, most);
  cut.slice_pixels =
      std::max<std::int64_t>(round_up(divide_up(pixels, cut.slices), kPixelBlock), kPixelBlock);
  cut.slices = std::max<std::int64_t>(divide_up(pixels, cut.slice_pixels), 1);
  return cut;
}

std::int64_t weight_floats(const Conv2dShape& s) { return s.k * s.r * s.s * s.c_per_group(); }

}  // namespace

std::size_t backward_weights_workspace_bytes(const Conv2dShape& s) {
  const Cut cut = cut_work(s);
  return cut.slices > 1
             ? static_cast<std::size_t>((cut.slices - 1) * weight_floats(s)) * sizeof(float)
             : 0;
}

void backward_weights(ExecContext& context, const IsaKernels& isa_kernels, const Conv2dShape& s,
                      const float* x, const float* dy, float* dw) {
  const GemmKernels& kernels = isa_kernels.gemm;
  const Cut cut = cut_work(s);
  const Patches patches = forward_patches(s);
  const std::int64_t pixels = s.n * s.p() * s.q();
  const std::int64_t kg = s.k_per_group();
  Workspace::Scope scope(context.workspace);
  // The first slice adds up in dw itself.
  float* parts =
      cut.slices > 1 ? scope.take_array<float>((cut.slices - 1) * weight_floats(s)) : nullptr;
  const std::int64_t outputs = cut.row_blocks * cut.column_blocks;

  context.pool.run(cut.slices * s.groups * outputs, [&](std::int64_t task) {
    const std::int64_t slice = task / (s.groups * outputs);
    const std::int64_t group = task / outputs % s.groups;
    const std::int64_t i = task % outputs / cut.column_blocks * cut.rows;
    const std::int64_t j = task % cut.column_blocks * cut.columns;
    const PatchSource source =
        patches.source(x + group * s.c_per_group(), s.h, s.w, s.c, s.c_per_group());

    GemmBlock block{};
    block.rows = std::min(cut.rows, kg - i);
    block.columns = std::min(cut.columns, cut.filter - j);
    block.a_row_stride = 1;
    block.a_k_stride = packed_row_stride(cut.rows);
    block.b_panel_stride = kPanelColumns;
    block.b_k_stride = packed_row_stride(cut.columns);
    float* scratch = thread_scratch(kPixelBlock * (block.a_k_stride + block.b_k_stride));
    float* gathered = scratch + kPixelBlock * block.a_k_stride;
    block.a = scratch;
    block.b = gathered;
    std::array<std::int64_t, kMaxRows> row_offsets;
    for (std::int64_t r = 0; r < block.rows; ++r) {
      row_offsets[static_cast<std::size_t>(r)] = r * cut.filter;
    }
    block.c_row_offset = row_offsets.data();
    float* out = slice == 0 ? dw : parts + (slice - 1) * weight_floats(s);
    block.c = out + (group * kg + i) * cut.filter + j;

    const std::int64_t begin = slice * cut.slice_pixels;
    const std::int64_t end = std::min(begin + cut.slice_pixels, pixels);
    // A slice without pixels (an empty batch) still stores its zeros.
    for (std::int64_t m = begin; m == begin || m < end; m += kPixelBlock) {
      block.k = std::max<std::int64_t>(std::min(kPixelBlock, end - m), 0);
      kernels.copy_rows(dy + m * s.k + group * kg + i, s.k, block.k, block.rows, scratch,
                        block.a_k_stride);
      kernels.gather_patches(source, m, m + block.k, j, j + block.columns, gathered,
                             block.b_k_stride);
      block.accumulate = m > begin;
      kernels.multiply(block);
    }
  });

  if (cut.slices > 1) {
    context.pool.run_blocks(weight_floats(s), 8192, [&](std::int64_t begin, std::int64_t end) {
      kernels.add_parts(parts + begin, cut.slices - 1, weight_floats(s), end - begin, dw + begin);
    });
  }
}

}  // namespace hanok::cpu::implicit_gemm
