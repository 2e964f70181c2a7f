// The part of cuBLAS that hanok calls, as a table of functions that is filled at run time. Types
// and numbers are declared here, so that building needs no cuBLAS header;
// tests/cudnn/libraries_test.cpp compares them with the real ones.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cuda_runtime.h>
#include <memory>
#include <string>

#include "hanok/kernels/cuda/gemm/matrix_product.h"

struct cublasContext;

namespace hanok::cuda {

using CublasHandle = cublasContext*;
using CublasStatus = int;  // 0 is success

inline constexpr int kCublasOpN = 0, kCublasOpT = 1;
inline constexpr int kCudaR32F = 0, kCudaR16F = 2, kCudaR16BF = 14;
// Sums in f32; "pedantic" forbids all approximations, TF32 rounds the factors to 10 bits.
inline constexpr int kCublasCompute32F = 68, kCublasCompute32FPedantic = 69,
                     kCublasCompute32FFastTF32 = 77;
inline constexpr int kCublasGemmDefault = -1;
/// A math mode: partial sums of a 16-bit result are also added in f32, not in the result's type
/// (f16 ends at 65504).
inline constexpr int kCublasNoReducedPrecisionReduction = 16;
inline constexpr CublasStatus kCublasAllocFailed = 3;

/// Matrices are column-major, as in all of BLAS. The `_64` variants take 64-bit sizes.
struct CublasFunctions {
  CublasStatus (*create)(CublasHandle*) = nullptr;
  CublasStatus (*destroy)(CublasHandle) = nullptr;
  CublasStatus (*get_version)(CublasHandle, int* version) = nullptr;
  CublasStatus (*set_math_mode)(CublasHandle, int mode) = nullptr;
  CublasStatus (*set_stream)(CublasHandle, cudaStream_t) = nullptr;
  CublasStatus (*set_workspace)(CublasHandle, void* workspace, std::size_t bytes) = nullptr;
  /// C = alpha * op(A) * op(B) + beta * C for each of `batch` matrices: cublasGemmStridedBatchedEx.
  CublasStatus (*gemm_strided_batched)(CublasHandle, int op_a, int op_b, std::int64_t m,
                                       std::int64_t n, std::int64_t k, const void* alpha,
                                       const void* a, int type_a, std::int64_t lda,
                                       long long int stride_a, const void* b, int type_b,
                                       std::int64_t ldb, long long int stride_b, const void* beta,
                                       void* c, int type_c, std::int64_t ldc,
                                       long long int stride_c, std::int64_t batch, int compute_type,
                                       int algorithm) = nullptr;
  const char* (*status_name)(CublasStatus) = nullptr;
  const char* (*status_string)(CublasStatus) = nullptr;
};

/// The table, filled once per process; null if the library or one of its functions is missing. Then
/// `missing` (if given) is set to what is missing and how to get it.
const CublasFunctions* open_cublas(std::string* missing);

/// "13.0.2" of the loaded library, or "" if there is none.
std::string cublas_version();

/// Matrix products by cuBLAS on that device; null and a reason if the library is missing.
std::unique_ptr<MatrixProduct> make_cublas_product(int device, std::string* missing);

}  // namespace hanok::cuda
