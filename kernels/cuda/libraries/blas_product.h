// Matrix products by a table of cuBLAS functions, from the library or a test.
#pragma once

#include <memory>
#include <string>

#include "hanok/kernels/cuda/gemm/matrix_product.h"
#include "hanok/kernels/cuda/libraries/cublas.h"

namespace hanok::cuda {

/// `functions` must outlive the product. Throws DeviceError if cuBLAS cannot be initialised on the
/// device.
std::unique_ptr<MatrixProduct> make_blas_product(const CublasFunctions& functions, int device,
                                                 std::string name);

}  // namespace hanok::cuda
