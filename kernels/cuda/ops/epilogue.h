// The epilogue of a product computed by a library (cuBLAS, cuDNN), in place: one sweep over y, and
// one more for the batch-norm sums.
#pragma once

#include <cstddef>

#include "hanok/kernels/backend.h"

namespace hanok::cuda {

/// y [rows, channels] (dense; f32, f16 or bf16) = activation(y * scale + shift + residual), then
/// bn_mean_var of the stored y. The residual has y's type, everything else is f32. Launches nothing
/// if all are undefined. Throws DTypeError for other types.
void apply_epilogue(ExecContext& ctx, const Epilogue& epilogue, std::int64_t rows,
                    std::int64_t channels, View y);

/// The rows of a result that is not dense: `batch` matrices of `rows` rows.
struct RowLayout {
  std::int64_t batch = 1, rows = 0;
  std::int64_t row_stride = 0, batch_stride = 0;  // elements
};

/// Per-channel mean and biased variance of x over all rows -> mean_var f32 [2,C].
void column_moments(ExecContext& ctx, ConstView x, const RowLayout& layout, std::int64_t channels,
                    View mean_var);

/// Workspace of column_moments (and of batch_norm_statistics and apply_epilogue).
std::size_t column_moments_bytes(std::int64_t rows, std::int64_t channels);

}  // namespace hanok::cuda
