// NVIDIA's libraries, opened at run time. Where one is missing the functions here return null and
// say why.
#pragma once

#include <memory>
#include <string>

#include "kernels/cuda/convolution.h"
#include "kernels/cuda/matrix_product.h"

namespace hanok::cuda {

/// cuBLAS for products on `device`; null, with the reason in `missing`, without the library.
std::unique_ptr<MatrixProduct> make_cublas_product(int device, std::string* missing);
/// cuDNN for convolutions; likewise.
std::unique_ptr<Convolution> make_cudnn_convolution(int device, std::string* missing);
/// "13.0.2", or empty with the reason in `missing`.
std::string cublas_version(std::string* missing);
std::string cudnn_version(std::string* missing);

}  // namespace hanok::cuda
