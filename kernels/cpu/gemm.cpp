// C [m,n] = A [m,k] * B [k,n] by cache blocks.
//
//   for each 2048 columns of C                       B block: 256 x 2048 floats, 2 MB, in L3
//     for each 256 of k                              pack the B block into panels (in parallel)
//       for each (144 rows, some panels)             one task; packs its 144 x 256 of A (147 KB of
//                                                    L2) unless few panels use it
//         GemmKernels::multiply                      panels of B in L1, tiles in registers
//
// Few rows times a transposed B (a linear layer): multiply_few_rows.
//
// A task is a rectangle of C: rectangles are cut by m and n alone and every element sums its k in
// one order, so that the bits do not depend on the thread count. C stays in memory between blocks
// of k; the epilogue runs on the last one.
//
// Roofline: packing moves 2 * (m*k*(n/2048) + k*n) floats for 2*m*n*k FLOP. At m = n = k = 512 that
// is 1 float per 128 FLOP: the FMA units are the limit.
#include "hanok/kernels/cpu/gemm.h"

#include <algorithm>
#include <array>
#include <limits>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "hanok/kernels/base/error.h"
#include "hanok/kernels/cpu/call.h"

namespace hanok::cpu {
namespace {

constexpr std::int64_t kBlockColumns = 2048;

void check_stride(const char* name, std::int64_t stride, std::int64_t rows, std::int64_t row) {
  if (rows > 1 && stride < row) {
    throw ValueError(std::string("gemm: ") + name + " is " + std::to_string(stride) +
                     ", a stored row has " + std::to_string(row) + " elements");
  }
}

// One product of the batch.
struct Product {
  const GemmShape& shape;
  const float* a;
  const float* b;
  float* c;
  const TileEpilogue* epilogue;  // null: none
  BlockMoments moments;          // mean == nullptr: none; at this product's first block
};

// Packs rows [k_begin, k_begin + k) and columns [j_begin, j_begin + columns) of B into panels.
void pack_b(ExecContext& context, const GemmKernels& kernels, const Product& p,
            std::int64_t k_begin, std::int64_t k, std::int64_t j_begin, std::int64_t columns,
            float* packed) {
  const std::int64_t k_stride = p.shape.transpose_b ? 1 : p.shape.ldb;
  const std::int64_t column_stride = p.shape.transpose_b ? p.shape.ldb : 1;
  const std::int64_t panels = divide_up(columns, kPanelColumns);
  context.pool.run_blocks(panels, 8, [&](std::int64_t begin, std::int64_t end) {
    const std::int64_t j = begin * kPanelColumns;
    PackPanels pack{};
    pack.b = p.b + k_begin * k_stride + (j_begin + j) * column_stride;
    pack.k_stride = k_stride;
    pack.column_stride = column_stride;
    pack.k = k;
    pack.columns = std::min(end * kPanelColumns, columns) - j;
    pack.out = packed + begin * k * kPanelColumns;
    pack.out_panel_stride = k * kPanelColumns;
    kernels.pack_panels(pack);
  });
}

// Packs rows [i, i + rows) and k [k_begin, k_begin + k) of A into the thread's scratch, or leaves
// them in place if they are multiplied with few columns only, for which a copy would not pay.
void pack_a(const GemmKernels& kernels, const Product& p, std::int64_t i, std::int64_t rows,
            std::int64_t k_begin, std::int64_t k, GemmBlock& block) {
  // Rows whole pages apart would fall into the same sets of L1.
  if (!p.shape.transpose_a && block.columns <= 4 * kPanelColumns && p.shape.lda % 1024 != 0) {
    block.a = p.a + i * p.shape.lda + k_begin;
    block.a_row_stride = p.shape.lda;
    block.a_k_stride = 1;
    return;
  }
  float* scratch = thread_scratch(packed_row_stride(k) * rows);
  block.a = scratch;
  block.a_row_stride = packed_row_stride(k);
  block.a_k_stride = 1;
  if (p.shape.transpose_a) {
    // Without packing, six rows of a tile would take a cache line for each k: half of L1.
    kernels.copy_transposed(p.a + k_begin * p.shape.lda + i, p.shape.lda, k, rows, scratch,
                            block.a_row_stride);
  } else {
    kernels.copy_rows(p.a + i * p.shape.lda + k_begin, p.shape.lda, rows, k, scratch,
                      block.a_row_stride);
  }
}

void multiply_product(ExecContext& context, const GemmKernels& kernels, const Product& p,
                      float* packed_b, const std::int64_t* c_row_offset) {
  const std::int64_t m = p.shape.m;
  const std::int64_t n = p.shape.n;
  const std::int64_t k = p.shape.k;
  const std::int64_t row_blocks = divide_up(m, kBlockRows);
  const std::int64_t k_block = k_block_size(k);
  for (std::int64_t j0 = 0; j0 < n; j0 += kBlockColumns) {
    const std::int64_t columns = std::min(kBlockColumns, n - j0);
    const std::int64_t column_block = column_block_size(columns, row_blocks);
    const std::int64_t column_blocks = divide_up(columns, column_block);
    // k = 0 still takes one turn: it stores zeros (or C) through the epilogue.
    for (std::int64_t k0 = 0; k0 == 0 || k0 < k; k0 += k_block) {
      const std::int64_t k_here = std::min(k_block, k - k0);
      const bool last = k0 + k_here >= k;
      pack_b(context, kernels, p, k0, k_here, j0, columns, packed_b);
      context.pool.run(row_blocks * column_blocks, [&](std::int64_t task) {
        const std::int64_t row_block = task / column_blocks;
        const std::int64_t i = row_block * kBlockRows;
        const std::int64_t j = task % column_blocks * column_block;
        GemmBlock block{};
        block.rows = std::min(kBlockRows, m - i);
        block.columns = std::min(column_block, columns - j);
        block.k = k_here;
        pack_a(kernels, p, i, block.rows, k0, k_here, block);
        block.b = packed_b + j * k_here;
        block.b_panel_stride = k_here * kPanelColumns;
        block.b_k_stride = kPanelColumns;
        block.c = p.c + i * p.shape.ldc + j0 + j;
        block.c_row_offset = c_row_offset;
        block.accumulate = k0 > 0 || p.shape.accumulate;
        TileEpilogue epilogue{};
        if (last && p.epilogue) {
          epilogue = at_column(*p.epilogue, j0 + j);
          if (epilogue.residual) epilogue.residual += i * p.shape.ldc;
          block.epilogue = &epilogue;
        }
        kernels.multiply(block);
        if (last && p.moments.mean) {
          const std::int64_t at = row_block * p.moments.channels + j0 + j;
          kernels.column_moments(block.c, p.shape.ldc, block.rows, block.columns,
                                 p.moments.mean + at, p.moments.deviations + at);
        }
      });
    }
  }
}

// Few rows times a transposed B (a linear layer over some images): packing B would cost as much as
// the product. Here B's rows, which have the layout of a tile's A, take its role, and A^T is
// packed:
//   C^T [n,m] = B [n,k] * A^T [k,m]
// by tasks of some rows of B, which are read from memory once; each task writes its C^T into
// scratch and from there, transposed, to C. The sums run in the same order as in
// multiply_product: the same bits.
constexpr std::int64_t kFewRows = 48;
constexpr std::int64_t kRowsPerTask = 48;

bool has_few_rows(const Product& p) {
  return p.shape.m <= kFewRows && p.shape.k > 0 && !p.shape.transpose_a && p.shape.transpose_b &&
         !p.shape.accumulate && !p.moments.mean && !(p.epilogue && p.epilogue->scale);
}

std::int64_t few_rows_floats(const GemmShape& shape) {
  return round_up(shape.m, kPanelColumns) * shape.k;
}

// One column of C from its sums, one a row.
void finish_column(const Product& p, std::int64_t column, const float* sums, std::int64_t rows) {
  for (std::int64_t i = 0; i < rows; ++i) {
    const std::int64_t at = i * p.shape.ldc + column;
    float value = sums[i];
    if (const TileEpilogue* e = p.epilogue) {
      if (e->shift) value += e->shift[column];
      if (e->residual) value += e->residual[at];
      if (e->relu) value = value < 0.0F ? 0.0F : value > e->ceiling ? e->ceiling : value;
    }
    p.c[at] = value;
  }
}

void multiply_few_rows(ExecContext& context, const GemmKernels& kernels, const Product& p,
                       float* packed_a) {
  const std::int64_t m = p.shape.m;
  const std::int64_t n = p.shape.n;
  const std::int64_t k = p.shape.k;
  PackPanels pack{};
  pack.b = p.a;
  pack.k_stride = 1;
  pack.column_stride = p.shape.lda;
  pack.k = k;
  pack.columns = m;
  pack.out = packed_a;
  pack.out_panel_stride = k * kPanelColumns;
  kernels.pack_panels(pack);
  const std::int64_t k_block = k_block_size(k);
  const std::int64_t padded = round_up(m, kPanelColumns);
  context.pool.run(divide_up(n, kRowsPerTask), [&](std::int64_t task) {
    const std::int64_t j = task * kRowsPerTask;
    float* sums = thread_scratch(kRowsPerTask * padded);
    std::array<std::int64_t, kRowsPerTask> row_offsets;
    for (std::size_t i = 0; i < row_offsets.size(); ++i) {
      row_offsets[i] = static_cast<std::int64_t>(i) * padded;
    }
    GemmBlock block{};
    block.rows = std::min(kRowsPerTask, n - j);
    block.columns = m;
    block.a_row_stride = p.shape.ldb;
    block.a_k_stride = 1;
    block.b_panel_stride = k * kPanelColumns;
    block.b_k_stride = kPanelColumns;
    block.c = sums;
    block.c_row_offset = row_offsets.data();
    block.fetch_a = true;
    for (std::int64_t k0 = 0; k0 < k; k0 += k_block) {
      block.k = std::min(k_block, k - k0);
      block.a = p.b + j * p.shape.ldb + k0;
      block.b = packed_a + k0 * kPanelColumns;
      block.accumulate = k0 > 0;
      kernels.multiply(block);
    }
    for (std::int64_t i = 0; i < block.rows; ++i) finish_column(p, j + i, sums + i * padded, m);
  });
}

struct AlignedDelete {
  void operator()(float* p) const { ::operator delete[](p, std::align_val_t{64}); }
};

}  // namespace

TileEpilogue tile_epilogue(const Epilogue& epilogue) {
  const bool six = epilogue.activation == Activation::Relu6;
  return {epilogue.scale.f32(),
          epilogue.shift.f32(),
          epilogue.residual.f32(),
          epilogue.activation != Activation::None,
          six ? 6.0F : std::numeric_limits<float>::infinity(),
          epilogue.bf16.as<std::uint16_t>()};
}

TileEpilogue at_column(TileEpilogue epilogue, std::int64_t column) {
  if (epilogue.scale) epilogue.scale += column;
  if (epilogue.shift) epilogue.shift += column;
  if (epilogue.residual) epilogue.residual += column;
  if (epilogue.bf16) epilogue.bf16 += column;
  return epilogue;
}

float* thread_scratch(std::int64_t floats) {
  thread_local std::unique_ptr<float[], AlignedDelete> memory;
  thread_local std::int64_t size = 0;
  if (floats > size) {
    memory.reset();
    size = 0;  // if the allocation fails
    memory.reset(new (std::align_val_t{64}) float[static_cast<std::size_t>(floats)]());
    size = floats;
  }
  return memory.get();
}

std::size_t block_moments_bytes(std::int64_t blocks, std::int64_t channels) {
  return static_cast<std::size_t>(2 * blocks * channels) * sizeof(float);
}

BlockMoments take_moments(Workspace::Scope& scope, const Epilogue& epilogue, std::int64_t blocks,
                          std::int64_t channels) {
  BlockMoments moments;
  if (!epilogue.bn_mean_var.defined()) return moments;
  moments.channels = channels;
  moments.mean = scope.take_array<float>(2 * blocks * channels);
  moments.deviations = moments.mean + blocks * channels;
  return moments;
}

void combine_moments(const BlockMoments& moments, const std::vector<std::int64_t>& block_rows,
                     float* mean_var) {
  for (std::int64_t c = 0; c < moments.channels; ++c) {
    double rows = 0;
    double mean = 0;
    double deviations = 0;
    for (std::size_t b = 0; b < block_rows.size(); ++b) {
      const auto rows_b = static_cast<double>(block_rows[b]);
      const std::int64_t at = static_cast<std::int64_t>(b) * moments.channels + c;
      const double d = static_cast<double>(moments.mean[at]) - mean;
      deviations +=
          static_cast<double>(moments.deviations[at]) + d * d * rows * rows_b / (rows + rows_b);
      mean += d * rows_b / (rows + rows_b);
      rows += rows_b;
    }
    mean_var[c] = static_cast<float>(mean);
    mean_var[moments.channels + c] = static_cast<float>(rows > 0 ? deviations / rows : 0.0);
  }
}

void run(const Call& call, const Gemm& op) {
  const GemmShape& shape = op.shape;
  const std::int64_t m = shape.m;
  const std::int64_t n = shape.n;
  const std::int64_t k = shape.k;
  check_stride("lda", shape.lda, shape.transpose_a ? k : m, shape.transpose_a ? m : k);
  check_stride("ldb", shape.ldb, shape.transpose_b ? n : k, shape.transpose_b ? k : n);
  check_stride("ldc", shape.ldc, m, n);
  const TileEpilogue tile = tile_epilogue(op.epilogue);
  const bool has_epilogue = tile.scale || tile.shift || tile.residual || tile.relu;
  if (m == 0 || n == 0 || shape.batch == 0) return;

  const GemmKernels& kernels = kernels_of(call.isa).gemm;
  Workspace::Scope scope(call.ctx.workspace);
  const std::int64_t packed_b = round_up(std::min(n, kBlockColumns), kPanelColumns) *
                                std::max<std::int64_t>(k_block_size(k), 1);
  const std::int64_t packed_a = m <= kFewRows ? few_rows_floats(shape) : 0;
  auto* scratch = scope.take_array<float>(std::max(packed_a, packed_b));
  std::vector<std::int64_t> c_row_offset(static_cast<std::size_t>(std::min(m, kBlockRows)));
  for (std::size_t i = 0; i < c_row_offset.size(); ++i) {
    c_row_offset[i] = static_cast<std::int64_t>(i) * shape.ldc;
  }
  const std::int64_t row_blocks = divide_up(m, kBlockRows);
  const BlockMoments moments = take_moments(scope, op.epilogue, shape.batch * row_blocks, n);
  for (std::int64_t i = 0; i < shape.batch; ++i) {
    TileEpilogue tile_here = tile;
    if (tile.residual) tile_here.residual += i * shape.stride_c;
    BlockMoments moments_here = moments;
    if (moments.mean) {
      moments_here.mean += i * row_blocks * n;
      moments_here.deviations += i * row_blocks * n;
    }
    const Product product{shape,
                          op.a.f32() + i * shape.stride_a,
                          op.b.f32() + i * shape.stride_b,
                          op.c.f32() + i * shape.stride_c,
                          has_epilogue ? &tile_here : nullptr,
                          moments_here};
    if (has_few_rows(product)) {
      multiply_few_rows(call.ctx, kernels, product, scratch);
    } else {
      multiply_product(call.ctx, kernels, product, scratch, c_row_offset.data());
    }
  }
  if (moments.mean) {
    std::vector<std::int64_t> block_rows;
    for (std::int64_t i = 0; i < shape.batch * row_blocks; ++i) {
      block_rows.push_back(std::min(kBlockRows, m - i % row_blocks * kBlockRows));
    }
    combine_moments(moments, block_rows, op.epilogue.bn_mean_var.f32());
  }
}

void run(const Call& call, const SumRows& op) {
  constexpr std::int64_t kRowsPerPart = 512;
  const GemmKernels& kernels = kernels_of(call.isa).gemm;
  const std::int64_t parts = divide_up(op.rows, kRowsPerPart);
  Workspace::Scope scope(call.ctx.workspace);
  auto* sums = scope.take_array<double>(std::max<std::int64_t>(parts * op.channels, 1));
  call.ctx.pool.run(parts, [&](std::int64_t part) {
    const std::int64_t begin = part * kRowsPerPart;
    kernels.column_sums(op.x.f32() + begin * op.channels, std::min(kRowsPerPart, op.rows - begin),
                        op.channels, sums + part * op.channels);
  });
  for (std::int64_t c = 0; c < op.channels; ++c) {
    double sum = 0;
    for (std::int64_t part = 0; part < parts; ++part) sum += sums[part * op.channels + c];
    op.out.f32()[c] = static_cast<float>(sum);
  }
}

}  // namespace hanok::cpu
