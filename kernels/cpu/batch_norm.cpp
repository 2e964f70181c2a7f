// All passes are bound by memory. They cut the rows into blocks whose number depends on the shape
// alone: statistics and gradients of a block are partial results in double that are combined in
// index order (Chan, Golub, LeVeque: "Updating formulae and a pairwise algorithm for computing
// sample variances", 1979).
#include "hanok/kernels/cpu/batch_norm.h"

#include <algorithm>
#include <utility>

#include "hanok/kernels/cpu/call.h"
#include "hanok/kernels/cpu/isa/batch_norm.h"

namespace hanok::cpu {
namespace {

constexpr std::int64_t kChannelGrain = 64;  // channels a task where partial results are combined

/// Rows a block: about 64 KiB of x, but not fewer than 16 rows.
std::int64_t rows_per_block(std::int64_t channels) {
  return std::max<std::int64_t>(16384 / std::max<std::int64_t>(channels, 1), 16);
}

template <typename T>
const T* at_row(const ConstView& view, std::int64_t offset) {
  return view.defined() ? view.as<T>() + offset : nullptr;
}

}  // namespace

void run(const Call& call, const BatchNormStatistics& op) {
  const std::int64_t block_rows = rows_per_block(op.channels);
  const std::int64_t blocks = (op.rows + block_rows - 1) / block_rows;
  Workspace::Scope scope(call.ctx.workspace);
  auto* partial = scope.take_array<double>(blocks * 2 * op.channels);  // [blocks, mean or m2, C]
  call.ctx.pool.run_blocks(op.rows, block_rows, [&](std::int64_t begin, std::int64_t end) {
    double* mean = partial + begin / block_rows * 2 * op.channels;
    kernels_of(call.isa).batch_norm.statistics(op.x.f32() + begin * op.channels, end - begin,
                                               op.channels, mean, mean + op.channels);
  });
  call.ctx.pool.run_blocks(op.channels, kChannelGrain, [&](std::int64_t begin, std::int64_t end) {
    double mean[kChannelGrain] = {};
    double m2[kChannelGrain] = {};
    double count = 0;
    for (std::int64_t block = 0; block < blocks; ++block) {
      const double* next_mean = partial + block * 2 * op.channels + begin;
      const double* next_m2 = next_mean + op.channels;
      const auto next_count =
          static_cast<double>(std::min(block_rows, op.rows - block * block_rows));
      const double weight = next_count / (count + next_count);
      for (std::int64_t c = 0; c < end - begin; ++c) {
        const double delta = next_mean[c] - mean[c];
        mean[c] += delta * weight;
        m2[c] += next_m2[c] + delta * delta * (count * weight);
      }
      count += next_count;
    }
    for (std::int64_t c = begin; c < end; ++c) {
      op.mean_var.f32()[c] = static_cast<float>(mean[c - begin]);
      op.mean_var.f32()[op.channels + c] =
          static_cast<float>(m2[c - begin] / static_cast<double>(op.rows));
    }
  });
}

BatchNormChannels scale_and_shift(ConstView mean, ConstView invstd, ConstView gamma, ConstView beta,
                                  float* scale) {
  const std::int64_t channels = invstd.numel();
  float* shift = scale + channels;
  for (std::int64_t c = 0; c < channels; ++c) {
    scale[c] = gamma.defined() ? gamma.f32()[c] * invstd.f32()[c] : invstd.f32()[c];
    shift[c] = beta.defined() ? beta.f32()[c] : 0.0F;
  }
  BatchNormChannels per_channel;
  per_channel.mean = mean.f32();
  per_channel.scale = scale;
  per_channel.shift = shift;
  return per_channel;
}

void run(const Call& call, const BatchNormApply& op) {
  const std::int64_t channels = op.invstd.numel();
  const std::int64_t rows = op.x.numel() / std::max<std::int64_t>(channels, 1);
  Workspace::Scope scope(call.ctx.workspace);
  const BatchNormChannels per_channel =
      scale_and_shift(op.mean, op.invstd, op.gamma, op.beta, scope.take_array<float>(2 * channels));
  with_norm_type(op.x, [&]<typename X>() {
    call.ctx.pool.run_blocks(rows, rows_per_block(channels),
                             [&](std::int64_t begin, std::int64_t end) {
                               BatchNormBlock<X> block;
                               block.rows = end - begin;
                               block.channels = channels;
                               block.x = op.x.as<X>() + begin * channels;
                               block.residual = at_row<float>(op.residual, begin * channels);
                               block.out = op.y.f32() + begin * channels;
                               kernels_of(call.isa).batch_norm.passes<X>().apply(
                                   block, per_channel, op.activation == Activation::Relu);
                             });
  });
}

void combine_backward_sums(ExecContext& ctx, const BatchNormBackward& op, const double* partial,
                           std::int64_t blocks, std::int64_t rows, float* offset, float* slope) {
  const std::int64_t channels = op.invstd.numel();
  const auto count = static_cast<double>(rows);
  ctx.pool.run_blocks(channels, kChannelGrain, [&](std::int64_t begin, std::int64_t end) {
    double sums_g[kChannelGrain] = {};
    double sums_gx[kChannelGrain] = {};
    for (std::int64_t block = 0; block < blocks; ++block) {
      const double* next = partial + block * 2 * channels + begin;
      for (std::int64_t c = 0; c < end - begin; ++c) {
        sums_g[c] += next[c];
        sums_gx[c] += next[channels + c];
      }
    }
    for (std::int64_t c = begin; c < end; ++c) {
      const double sum_g = sums_g[c - begin];
      const double sum_gx = sums_gx[c - begin];
      const double invstd = op.invstd.f32()[c];
      const double dgamma = sum_gx * invstd;
      offset[c] = static_cast<float>(sum_g / count);
      slope[c] = static_cast<float>(dgamma * invstd / count);
      if (op.dbeta.defined()) {
        op.dbeta.f32()[c] = static_cast<float>(sum_g);
      }
      if (op.dgamma.defined()) {
        op.dgamma.f32()[c] = static_cast<float>(dgamma);
      }
    }
  });
}

namespace {

template <typename X>
void run_backward(const Call& call, const BatchNormBackward& op) {
  const std::int64_t channels = op.invstd.numel();
  const std::int64_t rows = op.dy.numel() / std::max<std::int64_t>(channels, 1);
  const std::int64_t block_rows = rows_per_block(channels);
  const std::int64_t blocks = (rows + block_rows - 1) / block_rows;
  const BatchNormPasses<X>& passes = kernels_of(call.isa).batch_norm.passes<X>();
  Workspace::Scope scope(call.ctx.workspace);

  const bool gated = op.activation == Activation::Relu;
  const auto block_of = [&](std::int64_t begin, std::int64_t end) {
    BatchNormBlock<X> block;
    block.rows = end - begin;
    block.channels = channels;
    block.x = at_row<X>(op.x, begin * channels);
    block.y = gated ? at_row<float>(op.y, begin * channels) : nullptr;
    block.dy = op.dy.f32() + begin * channels;
    block.out = op.dx.defined() ? op.dx.f32() + begin * channels : nullptr;
    block.dresidual = op.dresidual.defined() ? op.dresidual.f32() + begin * channels : nullptr;
    return block;
  };

  auto* scale = scope.take_array<float>(4 * channels);
  float* offset = scale + 2 * channels;
  float* slope = offset + channels;
  BatchNormChannels per_channel = scale_and_shift(op.mean, op.invstd, op.gamma, op.beta, scale);
  if (!gated || op.y.defined()) {
    per_channel.shift = nullptr;
  }

  const bool centred = op.dx.defined() && !op.frozen_statistics;
  const bool of_batch = op.batch_offset.defined();
  if (op.dgamma.defined() || op.dbeta.defined() || (centred && !of_batch)) {
    auto* partial = scope.take_array<double>(blocks * 2 * channels);
    call.ctx.pool.run_blocks(rows, block_rows, [&](std::int64_t begin, std::int64_t end) {
      double* sum_g = partial + begin / block_rows * 2 * channels;
      passes.backward_sums(block_of(begin, end), per_channel, sum_g, sum_g + channels);
    });
    combine_backward_sums(call.ctx, op, partial, blocks, rows, offset, slope);
  }

  if (!op.dx.defined() && !op.dresidual.defined()) {
    return;
  }
  if (!op.dx.defined()) {  // dresidual alone is 1 * g
    std::fill(scale, scale + channels, 1.0F);
  }
  if (centred) {
    per_channel.offset = of_batch ? op.batch_offset.f32() : offset;
    per_channel.slope = of_batch ? op.batch_slope.f32() : slope;
  }
  // Last block first: its operands are what the sums left in the caches.
  call.ctx.pool.run(blocks, [&](std::int64_t task) {
    const std::int64_t begin = (blocks - 1 - task) * block_rows;
    BatchNormBlock<X> block = block_of(begin, std::min(begin + block_rows, rows));
    if (block.out == nullptr) std::swap(block.out, block.dresidual);
    passes.backward_apply(block, per_channel);
  });
}

}  // namespace

void run(const Call& call, const BatchNormBackward& op) {
  with_norm_type(op.x, [&]<typename X>() { run_backward<X>(call, op); });
}

}  // namespace hanok::cpu
