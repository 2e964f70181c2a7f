// Forward and backward-data convolution by implicit GEMM.
//
//   for each (144 output pixels, some panels of 16 output channels)       one task
//     for each <= 256 of the patch length (taps x channels)
//       gather the pixels' patches into scratch [144, 256]                147 KB, L2
//       GemmKernels::multiply with the packed weights                     panel 16 KB, L1
//     the last block of k applies the epilogue; then the moments of the block's columns
//
// In NHWC the channels of a tap, and for dilation 1 the S taps of a row, are contiguous: gathering
// is a handful of vector copies per pixel (7 x 21 floats for the stem), and it is skipped where the
// patch matrix is the image itself (1x1, stride 1). Each gathered float is used for 2 * K FLOP, so
// the copy costs about 2/(K/8) of the time: 4% at K = 64.
//
// Weights are packed as [group][K/16 panels][taps * C][16]. Backward data runs the same loops over
// dy, once per phase of the stride (patches.h), with weights [phase][group][C/16][taps *
// K][16].
#include "hanok/kernels/cpu/conv2d/implicit_gemm.h"

#include <algorithm>
#include <array>

#include "hanok/kernels/cpu/conv2d/implicit_gemm_problem.h"

namespace hanok::cpu::implicit_gemm {
namespace {

// The products of all blocks of 144 pixels and some panels of columns, one a task.
void multiply_patches(ExecContext& context, const IsaKernels& all_kernels, const PatchGemm& g) {
  const GemmKernels& kernels = all_kernels.gemm;
  const std::int64_t pixels = g.pixels();
  const std::int64_t row_blocks = divide_up(pixels, kBlockRows);
  const std::int64_t column_block = column_block_size(g.columns, row_blocks);
  const std::int64_t column_blocks = divide_up(g.columns, column_block);
  const bool direct = patches_are_the_image(g.source);
  const std::int64_t k_block = k_block_size(g.k);
  context.pool.run(row_blocks * column_blocks, [&](std::int64_t task) {
    // Rows [i, i + rows) x columns [j, j + columns).
    const std::int64_t i = task / column_blocks * kBlockRows;
    const std::int64_t j = task % column_blocks * column_block;
    std::array<std::int64_t, kBlockRows> row_offsets;
    GemmBlock block{};
    block.rows = std::min(kBlockRows, pixels - i);
    block.columns = std::min(column_block, g.columns - j);
    block.a_k_stride = 1;
    block.b_panel_stride = g.k * kPanelColumns;
    block.b_k_stride = kPanelColumns;
    block.c = g.out + j;
    block.c_row_offset = row_offsets.data();
    fill_row_offsets(g, i, block.rows, row_offsets.data());
    const TileEpilogue epilogue = g.epilogue ? at_column(*g.epilogue, j) : TileEpilogue{};
    for (std::int64_t k0 = 0; k0 == 0 || k0 < g.k; k0 += k_block) {
      block.k = std::min(k_block, g.k - k0);
      if (direct) {
        block.a = g.source.data + i * g.source.pixel_stride + k0;
        block.a_row_stride = g.source.pixel_stride;
        block.fetch_a = g.source.pixel_stride <= 2 * block.k;  // else most of it is another block's
      } else {
        float* scratch = thread_scratch(kBlockRows * kBlockK);
        kernels.gather_patches(g.source, i, i + block.rows, k0, k0 + block.k, scratch, k_block);
        block.a = scratch;
        block.a_row_stride = k_block;
      }
      block.b = g.packed + j * g.k + k0 * kPanelColumns;
      block.accumulate = k0 > 0;
      block.epilogue = g.epilogue && k0 + block.k >= g.k ? &epilogue : nullptr;
      kernels.multiply(block);
    }
    take_block_moments(kernels, g, i, block.rows, j, block.columns);
  });
}

constexpr Packing kPacking = {0, [](std::int64_t k) { return k * kPanelColumns; }};

}  // namespace

std::size_t packed_bytes(Conv2dPass pass, const Conv2dShape& s) {
  return static_cast<std::size_t>(packed_floats(kPacking, pass, s)) * sizeof(float);
}

void pack(ExecContext& context, const IsaKernels& kernels, Conv2dPass pass, const Conv2dShape& s,
          const float* w, float* packed) {
  const std::int64_t kg = s.k_per_group();
  const std::int64_t cg = s.c_per_group();
  const std::int64_t filter = s.r * s.s * cg;
  if (pass == Conv2dPass::Forward) {
    const std::int64_t panels = divide_up(kg, kPanelColumns);
    context.pool.run(s.groups * panels, [&](std::int64_t task) {
      const std::int64_t column = task % panels * kPanelColumns;
      PackPanels p{};
      p.b = w + (task / panels * kg + column) * filter;
      p.k_stride = 1;
      p.column_stride = filter;
      p.k = filter;
      p.columns = std::min(kPanelColumns, kg - column);
      p.out = packed + task * filter * kPanelColumns;
      p.out_panel_stride = filter * kPanelColumns;
      kernels.gemm.pack_panels(p);
    });
    return;
  }
  for (const Patches& phase : backward_data_patches(s)) {
    const auto taps = static_cast<std::int64_t>(phase.taps.size());
    context.pool.run(s.groups * taps, [&](std::int64_t task) {
      const std::int64_t group = task / std::max<std::int64_t>(taps, 1);
      const std::int64_t tap = task % taps;
      PackPanels p{};
      p.b = w + group * kg * filter + phase.taps[static_cast<std::size_t>(tap)] * cg;
      p.k_stride = filter;
      p.column_stride = 1;
      p.k = kg;
      p.columns = cg;
      p.out = packed + group * kPacking.group_floats(taps * kg, cg) + tap * kg * kPanelColumns;
      p.out_panel_stride = taps * kg * kPanelColumns;
      kernels.gemm.pack_panels(p);
    });
    packed += s.groups * kPacking.group_floats(taps * kg, cg);
  }
}

namespace {

void forward(ExecContext& context, const IsaKernels& kernels, const Conv2dShape& s, const float* x,
             const Conv2dWeights& w, const Epilogue& epilogue, float* y) {
  forward(context, kernels, kPacking, multiply_patches, s, x, w.packed, epilogue, y);
}

void backward_data(ExecContext& context, const IsaKernels& kernels, const Conv2dShape& s,
                   const float* dy, const Conv2dWeights& w, float* dx) {
  backward_data(context, kernels, kPacking, multiply_patches, s, dy, w.packed, dx);
}

std::size_t workspace_bytes(Conv2dPass pass, const Conv2dShape& s) {
  if (pass == Conv2dPass::BackwardWeights) return backward_weights_workspace_bytes(s);
  if (pass == Conv2dPass::BackwardData) return 0;
  return moments_bytes(s);
}

}  // namespace

const Conv2dDriver driver = {
    .name = "implicit_gemm",
    .fits = [](const Conv2dShape& /*shape*/) { return true; },
    .packed_bytes = packed_bytes,
    .pack = pack,
    .packs_by_window = packs_by_window,
    .workspace_bytes = workspace_bytes,
    .forward = forward,
    .backward_data = backward_data,
    .backward_weights = backward_weights,
};

}  // namespace hanok::cpu::implicit_gemm
