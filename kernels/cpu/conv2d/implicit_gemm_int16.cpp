// Forward and backward-data convolution by implicit GEMM, with products in dynamic fixed point
// (isa/int16.cpp): the loops of implicit_gemm.cpp, where a gathered patch is also quantised.
//
//   for each 144 output pixels                                              one task
//     for each <= 1024 of the patch length (taps x channels)
//       the pixels' patches as integers [144, 1024] and scales [144]        295 KB, L2
//       Int16Kernels::multiply with the packed weights                      32 columns: 64 KB, L2
//     the last block of k applies the epilogue; then the moments of the block's columns
//
// Scales belong to one pixel and one block of k, and to one output channel and one block of k: a
// result depends on nothing but its own patch and filter. Finding a row's largest magnitude and
// rounding cost some two instructions for each float; each integer is used for 2 * K operations.
//
// Blocks of k are long because both operands may stream from L2 (8 bytes a cycle of the 32 that it
// delivers), while shorter ones read an image's rows in pieces and C several times.
//
// Few pixels are fewer tasks of 144 than threads, and tasks of some output channels each would
// quantise the same patches again. There all patches are quantised into the workspace first; then
// a task computes some output channels.
//
// Weights: [group] of [a header, K/16 panels of [blocks of k][16 scales, k/2 pairs of 16 columns]].
#include "hanok/kernels/cpu/conv2d/implicit_gemm_int16.h"

#include <algorithm>
#include <array>
#include <vector>

#include "hanok/kernels/cpu/conv2d/implicit_gemm_problem.h"
#include "hanok/kernels/cpu/conv2d/quantized.h"
#include "hanok/kernels/cpu/isa/int16.h"

namespace hanok::cpu::implicit_gemm_int16 {

using implicit_gemm::Packing;
using implicit_gemm::patch_length;
using implicit_gemm::patches_are_the_image;
using implicit_gemm::PatchGemm;
using quantized::kTermsFloats;
using quantized::multiply;

namespace {

constexpr std::int64_t kMostBlockK = 1024;
// Weights get 12 bits and a sign, one less than patches: twice as many terms are added before sums
// go to floats, which is worth more here than the bit (errors of normal numbers stay a ninth of
// bf16's: 2.6e-4 of the output's rms).
constexpr std::int32_t kMostOfWeights = 4095;
constexpr std::int64_t kGatheredRows = 8;  // patches that are floats at a time, in L1
// Fewer blocks of pixels than this, and the tasks are cut by output channels.
constexpr std::int64_t kEnoughRowBlocks = kWantedTasks;

std::int64_t even(std::int64_t k) { return round_up(k, 2); }

// Of a panel: 16 scales for each block of k, and 8 floats for each term.
std::int64_t panel_floats(std::int64_t k) {
  if (k == 0) return 0;
  return divide_up(k, k_block_size(k)) * kPanelColumns + even(k) * kPanelColumns / 2;
}

// From the panel's begin on; all blocks of k before k0 are whole.
std::int64_t block_offset(std::int64_t k, std::int64_t k0) {
  return k0 / k_block_size(k) * kPanelColumns + k0 * kPanelColumns / 2;
}

}  // namespace

std::int64_t k_block_size(std::int64_t k) {
  if (k <= kMostBlockK) return std::max<std::int64_t>(even(k), 2);
  return round_up(divide_up(k, divide_up(k, kMostBlockK)), kPanelColumns);
}

std::int64_t q_stride(std::int64_t block_k) { return round_up(block_k, kPanelColumns); }

Int16Block block_of(const QuantizedBlock& a, const float* packed, std::int64_t k,
                    std::int64_t column) {
  const std::int64_t panel = panel_floats(k);
  const float* b = packed + kTermsFloats + column / kPanelColumns * panel + block_offset(k, a.k0);
  Int16Block block{};
  block.rows = a.rows;
  block.k = even(a.k);
  block.exact_terms = quantized::load_terms(packed);
  block.a = a.q;
  block.a_row_stride = q_stride(a.k);
  block.a_scale = a.scale;
  block.b = reinterpret_cast<const std::int16_t*>(b + kPanelColumns);
  block.b_panel_stride = 2 * panel;
  block.b_scale = b;
  block.b_scale_stride = panel;
  block.accumulate = a.k0 > 0;
  return block;
}

namespace {

// ---- packed weights ----

// One panel as floats, [k][16], for a phase of backward data or, null, the forward pass.
void pack_floats(const GemmKernels& kernels, const Conv2dShape& s, const Patches* phase,
                 std::int64_t group, std::int64_t column, const float* w, float* out) {
  const std::int64_t kg = s.k_per_group();
  const std::int64_t cg = s.c_per_group();
  const std::int64_t filter = s.r * s.s * cg;
  PackPanels p{};
  if (phase == nullptr) {
    p.b = w + (group * kg + column) * filter;
    p.k_stride = 1;
    p.column_stride = filter;
    p.k = filter;
    p.columns = std::min(kPanelColumns, kg - column);
    p.out = out;
    return kernels.pack_panels(p);
  }
  for (const std::int64_t tap : phase->taps) {
    p.b = w + group * kg * filter + tap * cg + column;
    p.k_stride = filter;
    p.column_stride = 1;
    p.k = kg;
    p.columns = std::min(kPanelColumns, cg - column);
    p.out = out;
    kernels.pack_panels(p);
    out += kg * kPanelColumns;
  }
}

// The panel's integers and scales; returns the most terms that no sum of it overflows with: 32,
// doubled as often as proven.
std::int64_t quantize_panel(const Int16Kernels& kernels, std::int64_t k, const float* floats,
                            float* panel) {
  const std::int64_t size = k_block_size(k);
  std::int64_t terms = 2 * size;
  for (std::int64_t k0 = 0; k0 < k; k0 += size) {
    const std::int64_t rows = even(std::min(size, k - k0));
    float* scales = panel + block_offset(k, k0);
    auto* q = reinterpret_cast<std::int16_t*>(scales + kPanelColumns);
    kernels.quantize_panel({.x = floats + k0 * kPanelColumns,
                            .rows = rows,
                            .q = q,
                            .scale = scales,
                            .most = kMostOfWeights});
    const std::int64_t proven = quantized::proven_terms(kernels, q, rows, std::min(rows, terms));
    if (proven < rows) terms = std::min(terms, proven);
  }
  return terms;
}

constexpr Packing kPacking = {kTermsFloats, panel_floats};

std::size_t packed_bytes(Conv2dPass pass, const Conv2dShape& s) {
  return static_cast<std::size_t>(packed_floats(kPacking, pass, s)) * sizeof(float);
}

void pack_grid(ExecContext& context, const IsaKernels& kernels, const Conv2dShape& s,
               const Patches* phase, std::int64_t k, std::int64_t columns, const float* w,
               float* packed) {
  const Int16Kernels& int16 = int16_kernels_for(kernels);
  const std::int64_t panels = divide_up(columns, kPanelColumns);
  const std::int64_t group_floats = kPacking.group_floats(k, columns);
  std::vector<std::int64_t> terms(static_cast<std::size_t>(s.groups * panels));
  context.pool.run(k > 0 ? s.groups * panels : 0, [&](std::int64_t task) {
    const std::int64_t group = task / panels;
    const std::int64_t panel = task % panels;
    float* floats = thread_scratch(even(k) * kPanelColumns);
    pack_floats(kernels.gemm, s, phase, group, panel * kPanelColumns, w, floats);
    std::fill_n(floats + k * kPanelColumns, (even(k) - k) * kPanelColumns, 0.0F);
    terms[static_cast<std::size_t>(task)] = quantize_panel(
        int16, k, floats, packed + group * group_floats + kTermsFloats + panel * panel_floats(k));
  });
  for (std::int64_t group = 0; group < s.groups; ++group) {
    const auto first = terms.begin() + group * panels;
    quantized::store_terms({first, first + panels}, packed + group * group_floats);
  }
}

void pack(ExecContext& context, const IsaKernels& kernels, Conv2dPass pass, const Conv2dShape& s,
          const float* w, float* packed) {
  if (pass == Conv2dPass::Forward) {
    const std::int64_t filter = s.r * s.s * s.c_per_group();
    return pack_grid(context, kernels, s, nullptr, filter, s.k_per_group(), w, packed);
  }
  for (const Patches& phase : backward_data_patches(s)) {
    const std::int64_t k = patch_length(phase, s.k_per_group());
    pack_grid(context, kernels, s, &phase, k, s.c_per_group(), w, packed);
    packed += s.groups * kPacking.group_floats(k, s.c_per_group());
  }
}

// ---- products ----

// Quantises patches [i, i + a.rows), terms [a.k0, a.k0 + a.k).
void quantize(const IsaKernels& kernels, const Int16Kernels& int16, const PatchGemm& g,
              std::int64_t i, const QuantizedBlock& a, float* gathered) {
  Int16Rows rows{.x = g.source.data + i * g.source.pixel_stride + a.k0,
                 .rows = a.rows,
                 .columns = a.k,
                 .x_stride = g.source.pixel_stride,
                 .q = a.q,
                 .q_stride = q_stride(a.k),
                 .scale = a.scale,
                 .scale_stride = 1,
                 .stream = a.shared};
  if (patches_are_the_image(g.source)) return int16.quantize_rows(rows);
  rows.x = gathered;
  rows.x_stride = q_stride(a.k);
  for (std::int64_t first = 0; first < a.rows; first += kGatheredRows) {
    rows.rows = std::min(kGatheredRows, a.rows - first);
    kernels.gemm.gather_patches(g.source, i + first, i + first + rows.rows, a.k0, a.k0 + a.k,
                                gathered, rows.x_stride);
    int16.quantize_rows(rows);
    rows.q += rows.rows * rows.q_stride;
    rows.scale += rows.rows;
  }
}

// How one product is cut.
struct Cut {
  std::int64_t row_blocks, block_k;
  std::int64_t columns;  // of a task
  bool staged;           // all patches are quantised before the products

  Cut(std::int64_t pixels, std::int64_t k, std::int64_t all_columns)
      : row_blocks(divide_up(pixels, kBlockRows)),
        block_k(k_block_size(k)),
        columns(all_columns),
        staged(row_blocks < kEnoughRowBlocks && all_columns > 2 * kPanelColumns) {
    // Whole register tiles of two panels.
    if (staged) columns = round_up(column_block_size(all_columns, row_blocks), 2 * kPanelColumns);
  }
  // A block of patches: scales, then integers.
  std::int64_t block_floats() const { return kBlockRows + kBlockRows * q_stride(block_k) / 2; }
};

std::int64_t staged_floats(std::int64_t pixels, std::int64_t k, std::int64_t columns) {
  const Cut cut(pixels, k, columns);
  return cut.staged ? cut.row_blocks * divide_up(k, cut.block_k) * cut.block_floats() : 0;
}

QuantizedBlock block_at(const PatchGemm& g, const Cut& cut, std::int64_t row_block, std::int64_t k0,
                        float* memory) {
  return {.rows = std::min(kBlockRows, g.pixels() - row_block * kBlockRows),
          .k = std::min(cut.block_k, g.k - k0),
          .k0 = k0,
          .q = reinterpret_cast<std::int16_t*>(memory + kBlockRows),
          .scale = memory};
}

// One block of k: rows [i, i + a.rows) and columns [j, j + columns).
void multiply_block(const Int16Kernels& int16, const PatchGemm& g, const QuantizedBlock& a,
                    std::int64_t i, std::int64_t j, std::int64_t columns) {
  std::array<std::int64_t, kBlockRows> row_offsets;
  fill_row_offsets(g, i, a.rows, row_offsets.data());
  Int16Block block = block_of(a, g.packed, g.k, j);
  block.columns = std::min(columns, g.columns - j);
  block.c = g.out + j;
  block.c_row_offset = row_offsets.data();
  block.fetch_c = a.k0 == 0;
  const bool last = a.k0 + a.k >= g.k;
  const TileEpilogue epilogue = g.epilogue ? at_column(*g.epilogue, j) : TileEpilogue{};
  block.epilogue = g.epilogue && last ? &epilogue : nullptr;
  multiply(int16, block);
}

void set_to_zero(ExecContext& context, const PatchGemm& g) {
  context.pool.run_blocks(g.pixels(), kBlockRows, [&](std::int64_t begin, std::int64_t end) {
    std::array<std::int64_t, kBlockRows> row_offsets;
    for (std::int64_t i = begin; i < end; i += kBlockRows) {
      const std::int64_t rows = std::min(kBlockRows, end - i);
      fill_row_offsets(g, i, rows, row_offsets.data());
      for (std::int64_t r = 0; r < rows; ++r) {
        std::fill_n(g.out + row_offsets[static_cast<std::size_t>(r)], g.columns, 0.0F);
      }
    }
  });
}

void multiply_patches(ExecContext& context, const IsaKernels& kernels, const PatchGemm& g) {
  if (g.k == 0) return set_to_zero(context, g);  // a phase of the stride without taps
  const Int16Kernels& int16 = int16_kernels_for(kernels);
  const Cut cut(g.pixels(), g.k, g.columns);
  const std::int64_t gathered = kGatheredRows * q_stride(cut.block_k);
  const std::int64_t k_blocks = divide_up(g.k, cut.block_k);
  if (!cut.staged) {
    context.pool.run(cut.row_blocks, [&](std::int64_t b) {
      float* scratch = thread_scratch(gathered + cut.block_floats());
      const std::int64_t i = b * kBlockRows;
      for (std::int64_t k0 = 0; k0 < g.k; k0 += cut.block_k) {
        const QuantizedBlock a = block_at(g, cut, b, k0, scratch + gathered);
        quantize(kernels, int16, g, i, a, scratch);
        multiply_block(int16, g, a, i, 0, g.columns);
      }
      const std::int64_t rows = std::min(kBlockRows, g.pixels() - i);
      take_block_moments(kernels.gemm, g, i, rows, 0, g.columns);
    });
    return;
  }
  Workspace::Scope scope(context.workspace);
  auto* patches = scope.take_array<float>(staged_floats(g.pixels(), g.k, g.columns));
  const auto staged_block = [&](std::int64_t row_block, std::int64_t k_block) {
    return block_at(g, cut, row_block, k_block * cut.block_k,
                    patches + (row_block * k_blocks + k_block) * cut.block_floats());
  };
  const std::int64_t pieces = divide_up(kBlockRows, kGatheredRows);
  context.pool.run(cut.row_blocks * k_blocks * pieces, [&](std::int64_t task) {
    const std::int64_t row_block = task / pieces / k_blocks;
    QuantizedBlock a = staged_block(row_block, task / pieces % k_blocks);
    const std::int64_t first = task % pieces * kGatheredRows;
    a.rows = std::min(kGatheredRows, a.rows - first);
    a.shared = context.pool.threads() > 1;
    if (a.rows <= 0) return;
    a.q += first * q_stride(a.k);
    a.scale += first;
    quantize(kernels, int16, g, row_block * kBlockRows + first, a, thread_scratch(gathered));
  });
  const std::int64_t column_blocks = divide_up(g.columns, cut.columns);
  context.pool.run(column_blocks * cut.row_blocks, [&](std::int64_t task) {
    const std::int64_t row_block = task % cut.row_blocks;
    const std::int64_t i = row_block * kBlockRows;
    const std::int64_t j = task / cut.row_blocks * cut.columns;
    for (std::int64_t k_block = 0; k_block < k_blocks; ++k_block) {
      multiply_block(int16, g, staged_block(row_block, k_block), i, j, cut.columns);
    }
    const std::int64_t rows = std::min(kBlockRows, g.pixels() - i);
    take_block_moments(kernels.gemm, g, i, rows, j, std::min(cut.columns, g.columns - j));
  });
}

// ---- the passes ----

void forward(ExecContext& context, const IsaKernels& kernels, const Conv2dShape& s, const float* x,
             const Conv2dWeights& w, const Epilogue& epilogue, float* y) {
  implicit_gemm::forward(context, kernels, kPacking, multiply_patches, s, x, w.packed, epilogue, y);
}

void backward_data(ExecContext& context, const IsaKernels& kernels, const Conv2dShape& s,
                   const float* dy, const Conv2dWeights& w, float* dx) {
  implicit_gemm::backward_data(context, kernels, kPacking, multiply_patches, s, dy, w.packed, dx);
}

std::size_t workspace_bytes(Conv2dPass pass, const Conv2dShape& s) {
  if (pass == Conv2dPass::BackwardWeights) return backward_weights_workspace_bytes(s);
  std::int64_t floats = 0;
  if (pass == Conv2dPass::Forward) {
    floats = staged_floats(s.n * s.p() * s.q(), s.r * s.s * s.c_per_group(), s.k_per_group());
  } else {
    for (const Patches& phase : backward_data_patches(s)) {
      floats =
          std::max(floats, staged_floats(s.n * phase.grid_h * phase.grid_w,
                                         patch_length(phase, s.k_per_group()), s.c_per_group()));
    }
  }
  const std::size_t moments = pass == Conv2dPass::Forward ? implicit_gemm::moments_bytes(s) : 0;
  return static_cast<std::size_t>(floats) * sizeof(float) + moments;
}

// Only where the caller allows it, as winograd4x4_int16.
bool fits(const Conv2dShape& shape) { return shape.int16 != 0; }

}  // namespace

const Conv2dDriver driver = {
    .name = "implicit_gemm_int16",
    .fits = fits,
    .packed_bytes = packed_bytes,
    .pack = pack,
    .packs_by_window = implicit_gemm::packs_by_window,
    .workspace_bytes = workspace_bytes,
    .forward = forward,
    .backward_data = backward_data,
    .backward_weights = backward_weights,
};

}  // namespace hanok::cpu::implicit_gemm_int16
