// Hand-written matrix products on CUDA, f32: what runs where cuBLAS is missing. gemm_ladder.h holds
// the steps that lead to this kernel, for readers.
#pragma once

#include "kernels/backend.h"

namespace hanok::cuda {

/// Backend::gemm. Throws DTypeError unless everything is f32, ValueError for a leading dimension
/// shorter than a stored row.
void gemm(ExecContext& ctx, const GemmShape& shape, ConstView a, ConstView b,
          const Epilogue& epilogue, View c);

/// Backend::sum_rows; x is f32, f16 or bf16, out f32.
void sum_rows(ExecContext& ctx, ConstView x, std::int64_t rows, std::int64_t channels, View out);

}  // namespace hanok::cuda
