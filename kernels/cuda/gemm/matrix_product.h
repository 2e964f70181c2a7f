// Implementations of matrix products on a GPU: cuBLAS if available, else hanok's own kernels.
#pragma once

#include <memory>

#include "hanok/kernels/backend.h"

namespace hanok::cuda {

/// One object per device; not thread-safe.
class MatrixProduct {
 public:
  virtual ~MatrixProduct() = default;
  /// For reports: "cuBLAS 13.0", "own tiles".
  virtual const char* name() const = 0;
  /// Gemm (kernels/primitives/gemm.h).
  virtual void multiply(ExecContext& context, const GemmShape& shape, ConstView a, ConstView b,
                        const Epilogue& epilogue, View c) = 0;
};

/// kernels/cuda/gemm/gemm.h, which needs no library.
std::unique_ptr<MatrixProduct> make_own_product();

}  // namespace hanok::cuda
