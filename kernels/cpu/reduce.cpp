// Sums are accumulated in double. Both the kept and the reduced elements are cut into blocks by
// size; the partial sums of the reduced blocks are added in index order.

#include "hanok/kernels/primitives/reduce.h"

#include <algorithm>
#include <cmath>

#include "hanok/kernels/base/strided.h"
#include "hanok/kernels/cpu/call.h"
#include "hanok/kernels/cpu/isa/reduce.h"

namespace hanok::cpu {
namespace {

constexpr std::int64_t kGrain = 32768;      // elements of x a task
constexpr std::int64_t kKeptBlock = 1024;   // sums a task at most
constexpr std::int64_t kNormGrain = 65536;  // elements a partial sum of squares

/// Dimensions of x that are kept, or those that are reduced, in order.
StridedLoop<1> loop_over(const StridedConstView& x, std::uint32_t dims, bool reduced) {
  Shape sizes;
  Strides strides;
  for (int dim = 0; dim < x.sizes.rank(); ++dim) {
    if (((dims >> dim) & 1U) == static_cast<std::uint32_t>(reduced)) {
      sizes.push_back(x.sizes[dim]);
      strides.push_back(x.strides[dim]);
    }
  }
  return {sizes, {strides}};
}

std::int64_t size_of_loop(const StridedLoop<1>& loop) {
  std::int64_t size = 1;
  for (int dim = 0; dim < loop.rank(); ++dim) {
    size *= loop.size(dim);
  }
  return size;
}

std::int64_t blocks_of(std::int64_t total, std::int64_t block) {
  return (total + block - 1) / block;
}

}  // namespace

void run(const Call& call, const Reduce& op) {
  const auto* data = static_cast<const float*>(op.x.data);
  const StridedLoop<1> kept = loop_over(op.x, op.dims, false);
  const StridedLoop<1> reduced = loop_over(op.x, op.dims, true);
  const std::int64_t kept_size = op.out.numel();
  const std::int64_t reduced_size = op.x.sizes.numel() == 0 ? 0 : size_of_loop(reduced);
  const std::int64_t kept_step = kept.row_steps()[0];
  const std::int64_t reduced_step = reduced.row_steps()[0];
  const std::int64_t kept_block =
      std::min<std::int64_t>(std::max<std::int64_t>(kept_size, 1), kKeptBlock);
  const std::int64_t reduced_block = std::max<std::int64_t>(kGrain / kept_block, 1);
  const std::int64_t kept_blocks = blocks_of(kept_size, kept_block);
  const std::int64_t reduced_blocks =
      std::max<std::int64_t>(blocks_of(reduced_size, reduced_block), 1);

  Workspace::Scope scope(call.ctx.workspace);
  auto* partial = scope.take_array<double>(reduced_blocks * kept_size);  // [reduced_blocks, kept]
  call.ctx.pool.run(kept_blocks * reduced_blocks, [&](std::int64_t task) {
    const std::int64_t kept_begin = task % kept_blocks * kept_block;
    const std::int64_t kept_end = std::min(kept_begin + kept_block, kept_size);
    const std::int64_t begin = task / kept_blocks * reduced_block;
    const std::int64_t end = std::min(begin + reduced_block, reduced_size);
    double* sums = partial + task / kept_blocks * kept_size;
    std::fill(sums + kept_begin, sums + kept_end, 0.0);
    std::int64_t at_kept = kept_begin;
    kept.for_rows(kept_begin, kept_end, [&](const auto& kept_at, std::int64_t kept_length) {
      reduced.for_rows(begin, end, [&](const auto& at, std::int64_t length) {
        const float* values = data + kept_at[0] + at[0];
        if (kept_step == 1 || reduced_step != 1) {  // along the kept elements
          for (std::int64_t i = 0; i < length; ++i) {
            const float* row = values + i * reduced_step;
            if (kept_step == 1) {
              kernels_of(call.isa).reduce.accumulate(row, sums + at_kept, kept_length);
              continue;
            }
            for (std::int64_t j = 0; j < kept_length; ++j) {
              sums[at_kept + j] += row[j * kept_step];
            }
          }
        } else {  // along the reduced elements
          for (std::int64_t j = 0; j < kept_length; ++j) {
            sums[at_kept + j] += kernels_of(call.isa).reduce.sum(values + j * kept_step, length);
          }
        }
      });
      at_kept += kept_length;
    });
  });

  const double divisor = op.kind == ReduceOp::Mean ? static_cast<double>(reduced_size) : 1.0;
  call.ctx.pool.run_blocks(kept_size, kGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      double sum = 0;
      for (std::int64_t block = 0; block < reduced_blocks; ++block) {
        sum += partial[block * kept_size + i];
      }
      op.out.f32()[i] = static_cast<float>(sum / divisor);
    }
  });
}

void run(const Call& call, const MaxAlong& op) {
  const std::int64_t length = op.lanes.length;
  const std::int64_t inner = op.lanes.inner;
  const std::int64_t grain = std::max<std::int64_t>(kGrain / std::max<std::int64_t>(length, 1), 1);
  call.ctx.pool.run_blocks(
      op.lanes.outer * inner, grain, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t at = begin; at < end; ++at) {
          const float* row = op.x.f32() + at / inner * length * inner + at % inner;
          float best = row[0];
          std::int64_t index = 0;
          // The first NaN ends the search.
          for (std::int64_t i = 1; i < length && best == best; ++i) {
            const float value = row[i * inner];
            if (value > best || value != value) {
              best = value;
              index = i;
            }
          }
          op.values.f32()[at] = best;
          op.indices.as<std::int64_t>()[at] = index;
        }
      });
}

void run(const Call& call, const ScatterAlong& op) {
  const std::int64_t length = op.lanes.length;
  const std::int64_t inner = op.lanes.inner;
  const std::int64_t grain =
      std::max<std::int64_t>(kGrain / std::max<std::int64_t>(length * inner, 1), 1);
  call.ctx.pool.run_blocks(op.lanes.outer, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t o = begin; o < end; ++o) {
      float* block = op.dx.f32() + o * length * inner;
      std::fill(block, block + length * inner, 0.0F);
      for (std::int64_t i = 0; i < inner; ++i) {
        const std::int64_t at = o * inner + i;
        block[op.indices.as<std::int64_t>()[at] * inner + i] = op.dy.f32()[at];
      }
    }
  });
}

void run(const Call& call, const L2Norm& op) {
  double total = 0;
  for (const ConstView& x : op.xs) {
    Workspace::Scope scope(call.ctx.workspace);
    const std::int64_t blocks = blocks_of(x.numel(), kNormGrain);
    auto* partial = scope.take_array<double>(blocks);
    call.ctx.pool.run_blocks(x.numel(), kNormGrain, [&](std::int64_t begin, std::int64_t end) {
      partial[begin / kNormGrain] =
          kernels_of(call.isa).reduce.sum_squares(x.f32() + begin, end - begin);
    });
    for (std::int64_t block = 0; block < blocks; ++block) {
      total += partial[block];
    }
  }
  op.out.f32()[0] = static_cast<float>(std::sqrt(total));
}

}  // namespace hanok::cpu
