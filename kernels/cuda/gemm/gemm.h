// Hand-written matrix products on CUDA: the fallback if cuBLAS is missing. gemm_ladder.h has the
// steps that lead to this kernel, for readers.
#pragma once

#include "hanok/kernels/exec_context.h"
#include "hanok/kernels/primitives/gemm.h"

namespace hanok::cuda {

/// Backend::gemm with a and b of one type (f32, f16 or bf16), c of this type or f32, the residual
/// of c's type, sums in f32. Throws DTypeError for other types, ValueError for a leading dimension
/// shorter than a stored row.
void gemm(ExecContext& ctx, const GemmShape& shape, ConstView a, ConstView b,
          const Epilogue& epilogue, View c);

}  // namespace hanok::cuda
