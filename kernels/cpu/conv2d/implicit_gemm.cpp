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
#include <vector>

#include "hanok/kernels/cpu/conv2d/patches.h"
#include "hanok/kernels/cpu/gemm.h"

namespace hanok::cpu::implicit_gemm {
namespace {

// One grid of output pixels times one group.
struct PatchGemm {
  PatchSource source;
  std::int64_t batch;
  std::int64_t k, columns;
  const float* packed;  // panels of k * 16
  float* out;           // at the grid's first pixel and the group's first channel
  std::int64_t image_stride, row_stride, pixel_stride;  // of the grid's pixels, in floats
  const TileEpilogue* epilogue;
  BlockMoments moments;  // at the group's first channel
};

bool patches_are_the_image(const PatchSource& s) {
  return s.run_count == 1 && s.runs[0].taps == 1 && s.runs[0].offset_h == 0 &&
         s.runs[0].offset_w == 0 && s.step_h == 1 && s.step_w == 1 && s.grid_h == s.height &&
         s.grid_w == s.width;
}

void fill_row_offsets(const PatchGemm& g, std::int64_t begin, std::int64_t rows,
                      std::int64_t* offsets) {
  for (std::int64_t r = 0; r < rows; ++r) {
    const std::int64_t m = begin + r;
    const std::int64_t j = m % g.source.grid_w;
    const std::int64_t i = m / g.source.grid_w % g.source.grid_h;
    const std::int64_t n = m / (g.source.grid_w * g.source.grid_h);
    offsets[r] = n * g.image_stride + i * g.row_stride + j * g.pixel_stride;
  }
}

// The products of all blocks of 144 pixels and some panels of columns, one a task.
void multiply_patches(ExecContext& context, const GemmKernels& kernels, const PatchGemm& g) {
  const std::int64_t pixels = g.batch * g.source.grid_h * g.source.grid_w;
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
    if (g.moments.mean) {
      const std::int64_t at = i / kBlockRows * g.moments.channels + j;
      kernels.column_moments(block.c + row_offsets[0], g.pixel_stride, block.rows, block.columns,
                             g.moments.mean + at, g.moments.deviations + at);
    }
  });
}

std::int64_t tap_count(const Patches& patches) {
  return static_cast<std::int64_t>(patches.taps.size());
}

// Floats of the packed weights of one group for one grid.
std::int64_t group_floats(const Patches& patches, std::int64_t channels, std::int64_t columns) {
  return round_up(columns, kPanelColumns) * tap_count(patches) * channels;
}

}  // namespace

std::size_t packed_bytes(Conv2dPass pass, const Conv2dShape& s) {
  std::int64_t floats = 0;
  if (pass == Conv2dPass::Forward) {
    floats = round_up(s.k_per_group(), kPanelColumns) * s.r * s.s * s.c_per_group();
  } else if (pass == Conv2dPass::BackwardData) {
    for (const Patches& phase : backward_data_patches(s)) {
      floats += group_floats(phase, s.k_per_group(), s.c_per_group());
    }
  }
  return static_cast<std::size_t>(s.groups * floats) * sizeof(float);
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
    const std::int64_t taps = tap_count(phase);
    context.pool.run(s.groups * taps, [&](std::int64_t task) {
      const std::int64_t group = task / std::max<std::int64_t>(taps, 1);
      const std::int64_t tap = task % taps;
      PackPanels p{};
      p.b = w + group * kg * filter + phase.taps[static_cast<std::size_t>(tap)] * cg;
      p.k_stride = filter;
      p.column_stride = 1;
      p.k = kg;
      p.columns = cg;
      p.out = packed + group * group_floats(phase, kg, cg) + tap * kg * kPanelColumns;
      p.out_panel_stride = taps * kg * kPanelColumns;
      kernels.gemm.pack_panels(p);
    });
    packed += s.groups * group_floats(phase, kg, cg);
  }
}

namespace {

void forward(ExecContext& context, const IsaKernels& kernels, const Conv2dShape& s, const float* x,
             const Conv2dWeights& w, const Epilogue& epilogue, float* y) {
  const Patches patches = forward_patches(s);
  const std::int64_t pixels = s.n * s.p() * s.q();
  const std::int64_t row_blocks = divide_up(pixels, kBlockRows);
  Workspace::Scope scope(context.workspace);
  const BlockMoments moments = take_moments(scope, epilogue, row_blocks, s.k);
  const TileEpilogue tile = tile_epilogue(epilogue);
  const bool has_epilogue = tile.scale || tile.shift || tile.residual || tile.relu;
  for (std::int64_t group = 0; group < s.groups; ++group) {
    const std::int64_t channel = group * s.k_per_group();
    const TileEpilogue tile_here = at_column(tile, channel);
    PatchGemm g{};
    g.source = patches.source(x + group * s.c_per_group(), s.h, s.w, s.c, s.c_per_group());
    g.batch = s.n;
    g.k = tap_count(patches) * s.c_per_group();
    g.columns = s.k_per_group();
    g.packed = w.packed + group * group_floats(patches, s.c_per_group(), s.k_per_group());
    g.out = y + channel;
    g.pixel_stride = s.k;
    g.row_stride = s.q() * s.k;
    g.image_stride = s.p() * s.q() * s.k;
    g.epilogue = has_epilogue ? &tile_here : nullptr;
    if (moments.mean) {
      g.moments = {moments.mean + channel, moments.deviations + channel, moments.channels};
    }
    multiply_patches(context, kernels.gemm, g);
  }
  if (moments.mean) {
    std::vector<std::int64_t> block_rows;
    for (std::int64_t i = 0; i < pixels; i += kBlockRows) {
      block_rows.push_back(std::min(kBlockRows, pixels - i));
    }
    combine_moments(moments, block_rows, epilogue.bn_mean_var.f32());
  }
}

void backward_data(ExecContext& context, const IsaKernels& kernels, const Conv2dShape& s,
                   const float* dy, const Conv2dWeights& w, float* dx) {
  const float* packed = w.packed;
  for (const Patches& phase : backward_data_patches(s)) {
    for (std::int64_t group = 0; group < s.groups; ++group) {
      PatchGemm g{};
      g.source = phase.source(dy + group * s.k_per_group(), s.p(), s.q(), s.k, s.k_per_group());
      g.batch = s.n;
      g.k = tap_count(phase) * s.k_per_group();
      g.columns = s.c_per_group();
      g.packed = packed;
      g.out = dx + (phase.begin_h * s.w + phase.begin_w) * s.c + group * s.c_per_group();
      g.pixel_stride = phase.stride_w * s.c;
      g.row_stride = phase.stride_h * s.w * s.c;
      g.image_stride = s.h * s.w * s.c;
      multiply_patches(context, kernels.gemm, g);
      packed += group_floats(phase, s.k_per_group(), s.c_per_group());
    }
  }
}

std::size_t workspace_bytes(Conv2dPass pass, const Conv2dShape& s) {
  if (pass == Conv2dPass::BackwardWeights) return backward_weights_workspace_bytes(s);
  if (pass == Conv2dPass::BackwardData) return 0;
  return block_moments_bytes(divide_up(s.n * s.p() * s.q(), kBlockRows), s.k);
}

// Backward data packs one phase of the stride after the other.
bool packs_by_window(Conv2dPass pass, const Conv2dShape& s) {
  return pass == Conv2dPass::BackwardData && (s.window.stride_h != 1 || s.window.stride_w != 1);
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
