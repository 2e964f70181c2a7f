// Batch norm: y = activation((x - mean) * invstd * gamma + beta + residual) and its gradient.
//
// With g = dy if the activation passed it (y > 0), else 0:
//   dbeta = sum g;  dgamma = invstd * sum g * (x - mean);  dresidual = g
//   dx = gamma * invstd * (g - dbeta/rows - (x - mean) * invstd * dgamma/rows)   in training
//   dx = gamma * invstd * g                                                      frozen
//
// The backward pass has three launches: the sums (columns.h), their combination to f32 coefficients
// per channel, and one sweep that reads dy, y, x and writes dx, dresidual. Memory-bound: the sums
// read 12 bytes per element (f32 with ReLU), the sweep moves 16 to 20.
#include "hanok/kernels/cuda/ops/columns.h"
#include "hanok/kernels/cuda/ops/packet.h"
#include "hanok/kernels/primitives/batch_norm.h"

namespace hanok::cuda {
namespace {

/// The sweep's coefficients per channel, f32 [C] each.
struct Coefficients {
  float* offset;  // dbeta / rows
  float* slope;   // invstd * dgamma / rows
};

__global__ void combine_batch_norm_sums_kernel(const double* partial, std::int64_t blocks,
                                               std::int64_t channels, std::int64_t rows,
                                               const float* invstd, Coefficients coefficients,
                                               float* dgamma, float* dbeta) {
  __shared__ double shared[2 * kCombineChannels * kCombineLanes];
  const std::int64_t c = blockIdx.x * std::int64_t{kCombineChannels} + threadIdx.x;
  double totals[2];
  combine_sums(partial, blocks, channels, c, shared, totals);
  if (threadIdx.y != 0 || c >= channels) return;
  const double scale = static_cast<double>(invstd[c]);
  const auto count = static_cast<double>(rows);
  coefficients.offset[c] = static_cast<float>(totals[0] / count);
  coefficients.slope[c] = static_cast<float>(totals[1] * scale * scale / count);
  if (dbeta) dbeta[c] = static_cast<float>(totals[0]);
  if (dgamma) dgamma[c] = static_cast<float>(totals[1] * scale);
}

template <typename T>
struct BackwardPointers {
  const T *dy, *y, *x;                 // y and x may be null
  const float *gamma, *invstd, *mean;  // gamma may be null; mean is read with x
  GateFromX gate;                      // with x
  bool centred;                        // dx includes the gradients of the statistics
  const float *offset, *slope;         // read if centred
  T *dx, *dresidual;                   // either may be null; dx may be an operand, dresidual dy
};

template <typename T, int kWidth>
__global__ void batch_norm_backward_kernel(BackwardPointers<T> p, ColumnTiles tiles) {
  const ColumnPlace place = column_place(tiles);
  if (!place.inside) return;
  const std::int64_t c = place.packet * kWidth;
  float scale[kWidth];
  float offset[kWidth] = {};
  float slope[kWidth] = {};
  float mean[kWidth] = {};
  float shift[kWidth] = {};
  for (int i = 0; i < kWidth; ++i) {
    scale[i] = p.gamma ? p.gamma[c + i] * p.invstd[c + i] : p.invstd[c + i];
    if (p.x) mean[i] = p.mean[c + i];
    if (p.gate.wanted) shift[i] = p.gate.shift(c + i);
    if (p.centred) {
      offset[i] = p.offset[c + i];
      slope[i] = p.slope[c + i];
    }
  }
  for (std::int64_t row = place.row; row < place.row_end; row += blockDim.y) {
    const std::int64_t at = (row * tiles.packets + place.packet) * kWidth;
    float g[kWidth];
    float x[kWidth] = {};
    load<kWidth>(p.dy + at, g);
    if (p.x) load<kWidth>(p.x + at, x);
    if (p.y) {
      float gate[kWidth];
      load<kWidth>(p.y + at, gate);
      for (int i = 0; i < kWidth; ++i) g[i] = gate[i] > 0.0F ? g[i] : 0.0F;
    }
    for (int i = 0; p.gate.wanted && i < kWidth; ++i) {
      g[i] = (x[i] - mean[i]) * scale[i] + shift[i] > 0.0F ? g[i] : 0.0F;
    }
    if (p.dresidual) store<kWidth>(g, p.dresidual + at);
    if (p.dx) {
      for (int i = 0; i < kWidth; ++i) {
        g[i] = scale[i] * ((g[i] - offset[i]) - (x[i] - mean[i]) * slope[i]);
      }
      store<kWidth>(g, p.dx + at);
    }
  }
}

template <typename T, int kWidth>
void launch_backward(ExecContext& ctx, const BackwardPointers<T>& pointers, std::int64_t rows,
                     std::int64_t channels) {
  const ColumnTiles tiles = column_tiles(rows, channels / kWidth, 8, 0);
  launch(batch_norm_backward_kernel<T, kWidth>, tiles.grid, tiles.block, 0, stream_of(ctx),
         pointers, tiles);
}

}  // namespace

void run(ExecContext& ctx, const BatchNormStatistics& op) {
  column_moments(ctx, op.x, {1, op.rows, op.channels, 0}, op.channels, op.mean_var);
}

void run(ExecContext& ctx, const BatchNormApply& op) {
  const std::int64_t channels = op.invstd.numel();
  if (channels == 0) return;
  AffineColumns affine;
  affine.x = op.x;
  affine.center = op.mean;
  affine.scale_a = op.gamma;
  affine.scale_b = op.invstd;
  affine.shift = op.beta;
  affine.residual = op.residual;
  affine.activation = op.activation;
  affine.y = op.y;
  affine_columns(ctx, "batch_norm", affine, op.x.numel() / channels, channels);
}

void run(ExecContext& ctx, const BatchNormBackward& op) {
  const char* name = BatchNormBackward::kName;
  const std::int64_t channels = op.invstd.numel();
  if (channels == 0) return;
  const std::int64_t rows = op.dy.numel() / channels;
  const DType storage_type = op.dy.dtype;
  for (const ConstView& view : {op.x, op.y, ConstView(op.dx), ConstView(op.dresidual)}) {
    check_dtype(name, "an activation or its gradient", view, storage_type);
  }
  for (const ConstView& view : {op.mean, op.invstd, op.gamma, op.beta, ConstView(op.dgamma),
                                ConstView(op.dbeta), op.batch_offset, op.batch_slope}) {
    check_dtype(name, "a parameter of the channels", view, DType::F32);
  }
  const bool gated = op.activation == Activation::Relu;
  const bool centred = op.dx.defined() && !op.frozen_statistics;
  const GateFromX gate{gated && !op.y.defined(), op.gamma.f32(), op.invstd.f32(), op.beta.f32()};

  Workspace::Scope scope(ctx.workspace);
  const Coefficients coefficients{scope.take_array<float>(channels),
                                  scope.take_array<float>(channels)};
  const bool of_batch = op.batch_offset.defined();
  if (op.dgamma.defined() || op.dbeta.defined() || (centred && !of_batch)) {
    ColumnSums sums;
    sums.dy = op.dy;
    if (gated) sums.y = op.y;
    sums.gate = gate;
    sums.x = op.x;
    sums.mean = op.mean;
    const PartialSums partial = column_sums(ctx, name, sums, rows, channels, scope);
    launch(combine_batch_norm_sums_kernel, grid_for(channels, kCombineChannels),
           dim3(kCombineChannels, kCombineLanes), 0, stream_of(ctx), partial.data, partial.blocks,
           channels, rows, op.invstd.f32(), coefficients, op.dgamma.f32(), op.dbeta.f32());
  }
  if (rows == 0 || (!op.dx.defined() && !op.dresidual.defined())) return;
  with_storage(name, storage_type, [&](auto storage) {
    using T = typename decltype(storage)::type;
    const BackwardPointers<T> p{op.dy.as<T>(),
                                gated ? op.y.as<T>() : nullptr,
                                centred || gate.wanted ? op.x.as<T>() : nullptr,
                                op.gamma.f32(),
                                op.invstd.f32(),
                                op.mean.f32(),
                                gate,
                                centred,
                                of_batch ? op.batch_offset.f32() : coefficients.offset,
                                of_batch ? op.batch_slope.f32() : coefficients.slope,
                                op.dx.as<T>(),
                                op.dresidual.as<T>()};
    if (packets_fit<T>(channels, p.dy, p.y, p.x, p.dx, p.dresidual)) {
      launch_backward<T, kPackOf<T>>(ctx, p, rows, channels);
    } else {
      launch_backward<T, 1>(ctx, p, rows, channels);
    }
  });
}

}  // namespace hanok::cuda
