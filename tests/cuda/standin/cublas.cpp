// The stand-in for cuBLAS: the CPU's kernels. The code above it (blas_product.cpp) is the real one.
#include "hanok/kernels/cuda/libraries/cublas.h"

#include "hanok/kernels/cpu/call.h"
#include "tests/cuda/standin/host_work.h"

struct cublasContext {
  cudaStream_t stream = nullptr;
};

namespace hanok::cuda {
namespace {

/// The DType of one of cuBLAS's three types; U8 for others.
DType dtype_of_cuda(int type) {
  switch (type) {
    case kCudaR32F:
      return DType::F32;
    case kCudaR16F:
      return DType::F16;
    case kCudaR16BF:
      return DType::BF16;
    default:
      return DType::U8;
  }
}

CublasStatus create(CublasHandle* handle) {
  *handle = new cublasContext();
  return 0;
}
CublasStatus destroy(CublasHandle handle) {
  delete handle;
  return 0;
}
CublasStatus get_version(CublasHandle, int* version) {
  *version = 130000;
  return 0;
}
CublasStatus set_math_mode(CublasHandle, int) { return 0; }
CublasStatus set_stream(CublasHandle handle, cudaStream_t stream) {
  handle->stream = stream;
  return 0;
}
CublasStatus set_workspace(CublasHandle, void*, std::size_t) { return 0; }
const char* status_name(CublasStatus) { return "CUBLAS_STATUS_NOT_SUPPORTED"; }
const char* status_string(CublasStatus) {
  return "the stand-in multiplies f32, f16 and bf16, by alpha = 1 only";
}

/// Column-major C = A B is row-major C^T = B^T A^T: the same memory, the operands swapped.
CublasStatus gemm_strided_batched(CublasHandle handle, int op_a, int op_b, std::int64_t m,
                                  std::int64_t n, std::int64_t k, const void* alpha, const void* a,
                                  int type_a, std::int64_t lda, long long int stride_a,
                                  const void* b, int type_b, std::int64_t ldb,
                                  long long int stride_b, const void* beta, void* c, int type_c,
                                  std::int64_t ldc, long long int stride_c, std::int64_t batch, int,
                                  int) {
  constexpr CublasStatus kNotSupported = 15;
  const float beta_value = *static_cast<const float*>(beta);
  const DType operands = dtype_of_cuda(type_a), results = dtype_of_cuda(type_c);
  if (operands == DType::U8 || type_a != type_b || (results != operands && results != DType::F32) ||
      *static_cast<const float*>(alpha) != 1 || (beta_value != 0 && beta_value != 1)) {
    return kNotSupported;
  }
  GemmShape shape;
  shape.m = n;
  shape.n = m;
  shape.k = k;
  shape.transpose_a = op_b == kCublasOpT;
  shape.transpose_b = op_a == kCublasOpT;
  shape.lda = ldb;
  shape.ldb = lda;
  shape.ldc = ldc;
  shape.accumulate = beta_value == 1;
  shape.batch = batch;
  shape.stride_a = stride_b;
  shape.stride_b = stride_a;
  shape.stride_c = stride_c;
  const cudaError_t status =
      standin::enqueue_on_host(handle->stream, "gemm", [=](ExecContext& host, cpu::Isa isa) {
        // From the first to the last element of a matrix (row-major) and its batch.
        const auto span = [&shape](std::int64_t rows, std::int64_t columns, std::int64_t row,
                                   std::int64_t stride) {
          return rows * columns == 0 ? 0 : (shape.batch - 1) * stride + (rows - 1) * row + columns;
        };
        const std::int64_t left_rows = shape.transpose_a ? shape.k : shape.m;
        const std::int64_t right_rows = shape.transpose_b ? shape.n : shape.k;
        standin::Widened left(
            b, operands, span(left_rows, shape.m + shape.k - left_rows, shape.lda, shape.stride_a));
        standin::Widened right(
            a, operands,
            span(right_rows, shape.n + shape.k - right_rows, shape.ldb, shape.stride_b));
        standin::Widened result(c, results, span(shape.m, shape.n, shape.ldc, shape.stride_c));
        cpu::run({host, isa},
                 Gemm{shape, left.view({shape.m * shape.k}), right.view({shape.k * shape.n}),
                      Epilogue(), result.view({shape.m * shape.n})});
        result.store();
      });
  return status == cudaSuccess ? 0 : kNotSupported;
}

}  // namespace

const CublasFunctions* open_cublas(std::string* missing) {
  if (!standin::settings().cublas) {
    if (missing != nullptr) *missing = "libcublas was not found";
    return nullptr;
  }
  static const CublasFunctions functions{
      create,       destroy,       get_version,          set_math_mode,
      set_stream,   set_workspace, gemm_strided_batched, status_name,
      status_string};
  return &functions;
}

std::string cublas_version() { return standin::settings().cublas ? "(stand-in)" : ""; }

}  // namespace hanok::cuda
