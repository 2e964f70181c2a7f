// Matrix products by a table of cuBLAS's functions: the library's own, or a test's.
#pragma once

#include <memory>
#include <string>

#include "hanok/kernels/cuda/gemm/matrix_product.h"
#include "hanok/kernels/cuda/libraries/cublas.h"

namespace hanok::cuda {

/// `functions` must outlive the product. Throws DeviceError if cuBLAS cannot be set up on the
/// device.
std::unique_ptr<MatrixProduct> make_blas_product(const CublasFunctions& functions, int device,
                                                 std::string name);

}  // namespace hanok::cuda
