#include "hanok/kernels/cpu/conv2d/implicit_gemm_problem.h"

#include <algorithm>
#include <vector>

namespace hanok::cpu::implicit_gemm {

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

void take_block_moments(const GemmKernels& kernels, const PatchGemm& g, std::int64_t i,
                        std::int64_t rows, std::int64_t j, std::int64_t columns) {
  if (!g.moments.mean) return;
  std::int64_t first = 0;
  fill_row_offsets(g, i, 1, &first);
  const std::int64_t at = i / kBlockRows * g.moments.channels + j;
  kernels.column_moments(g.out + j + first, g.pixel_stride, rows, columns, g.moments.mean + at,
                         g.moments.deviations + at);
}

std::int64_t packed_floats(const Packing& packing, Conv2dPass pass, const Conv2dShape& s) {
  if (pass == Conv2dPass::BackwardWeights) return 0;
  if (pass == Conv2dPass::Forward) {
    return s.groups * packing.group_floats(s.r * s.s * s.c_per_group(), s.k_per_group());
  }
  std::int64_t floats = 0;
  for (const Patches& phase : backward_data_patches(s)) {
    floats +=
        s.groups * packing.group_floats(patch_length(phase, s.k_per_group()), s.c_per_group());
  }
  return floats;
}

void forward(ExecContext& context, const IsaKernels& kernels, const Packing& packing,
             Multiply multiply, const Conv2dShape& s, const float* x, const float* packed,
             const Epilogue& epilogue, float* y) {
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
    g.k = patch_length(patches, s.c_per_group());
    g.columns = s.k_per_group();
    g.packed = packed + group * packing.group_floats(g.k, g.columns);
    g.out = y + channel;
    g.pixel_stride = s.k;
    g.row_stride = s.q() * s.k;
    g.image_stride = s.p() * s.q() * s.k;
    g.epilogue = has_epilogue ? &tile_here : nullptr;
    if (moments.mean) {
      g.moments = {moments.mean + channel, moments.deviations + channel, moments.channels};
    }
    multiply(context, kernels, g);
  }
  if (moments.mean) {
    std::vector<std::int64_t> block_rows;
    for (std::int64_t i = 0; i < pixels; i += kBlockRows) {
      block_rows.push_back(std::min(kBlockRows, pixels - i));
    }
    combine_moments(moments, block_rows, epilogue.bn_mean_var.f32());
  }
}

void backward_data(ExecContext& context, const IsaKernels& kernels, const Packing& packing,
                   Multiply multiply, const Conv2dShape& s, const float* dy, const float* packed,
                   float* dx) {
  for (const Patches& phase : backward_data_patches(s)) {
    for (std::int64_t group = 0; group < s.groups; ++group) {
      PatchGemm g{};
      g.source = phase.source(dy + group * s.k_per_group(), s.p(), s.q(), s.k, s.k_per_group());
      g.batch = s.n;
      g.k = patch_length(phase, s.k_per_group());
      g.columns = s.c_per_group();
      g.packed = packed;
      g.out = dx + (phase.begin_h * s.w + phase.begin_w) * s.c + group * s.c_per_group();
      g.pixel_stride = phase.stride_w * s.c;
      g.row_stride = phase.stride_h * s.w * s.c;
      g.image_stride = s.h * s.w * s.c;
      multiply(context, kernels, g);
      packed += packing.group_floats(g.k, g.columns);
    }
  }
}

std::size_t moments_bytes(const Conv2dShape& s) {
  return block_moments_bytes(divide_up(s.n * s.p() * s.q(), kBlockRows), s.k);
}

bool packs_by_window(Conv2dPass pass, const Conv2dShape& s) {
  return pass == Conv2dPass::BackwardData && (s.window.stride_h != 1 || s.window.stride_w != 1);
}

}  // namespace hanok::cpu::implicit_gemm
