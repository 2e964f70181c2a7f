// Matrix products by cuBLAS. BLAS is column-major and hanok row-major: a row-major [m,n] matrix is
// the column-major [n,m] matrix of its transpose, so C = A B is computed as C^T = B^T A^T: the same
// memory, with the operands swapped and no copy.
#include "hanok/kernels/cuda/libraries/blas_product.h"

#include <utility>

#include "hanok/kernels/base/error.h"
#include "hanok/kernels/cuda/gemm/gemm.h"
#include "hanok/kernels/cuda/gemm/precision.h"
#include "hanok/kernels/cuda/ops/epilogue.h"
#include "hanok/kernels/cuda/ops/scratch.h"
#include "hanok/kernels/cuda/runtime/cuda.h"

namespace hanok::cuda {
namespace {

// The size that cuBLAS itself would allocate on Hopper. hanok provides the workspace, so that a
// captured step does not allocate and results do not depend on other work.
constexpr std::size_t kWorkspaceBytes = std::size_t{32} << 20;

int cuda_type(DType dtype) {
  switch (dtype) {
    case DType::F32:
      return kCudaR32F;
    case DType::F16:
      return kCudaR16F;
    case DType::BF16:
      return kCudaR16BF;
    default:
      throw DTypeError(std::string("gemm: ") + name_of(dtype) +
                       " on CUDA; f32, f16 and bf16 are supported");
  }
}

bool has_epilogue(const Epilogue& epilogue) {
  return epilogue.scale.defined() || epilogue.shift.defined() || epilogue.residual.defined() ||
         epilogue.activation != Activation::None || epilogue.bn_mean_var.defined();
}

class CublasProduct final : public MatrixProduct {
 public:
  CublasProduct(const CublasFunctions& functions, int device, std::string name)
      : functions_(functions), name_(std::move(name)) {
    int current = 0;
    hanok::cuda::check(cudaGetDevice(&current), "cudaGetDevice");
    hanok::cuda::check(cudaSetDevice(device), "cudaSetDevice");
    const CublasStatus status = functions_.create(&handle_);
    hanok::cuda::check(cudaSetDevice(current), "cudaSetDevice");
    check(status, "cublasCreate");
    check(functions_.set_math_mode(handle_, kCublasNoReducedPrecisionReduction),
          "cublasSetMathMode");
  }
  ~CublasProduct() override { functions_.destroy(handle_); }
  CublasProduct(const CublasProduct&) = delete;
  CublasProduct& operator=(const CublasProduct&) = delete;

  const char* name() const override { return name_.c_str(); }

  void multiply(ExecContext& context, const GemmShape& shape, ConstView a, ConstView b,
                const Epilogue& epilogue, View c) override {
    if (a.dtype != b.dtype) {
      throw DTypeError(std::string("gemm: A is ") + name_of(a.dtype) + ", B is " +
                       name_of(b.dtype));
    }
    if (c.dtype != a.dtype && c.dtype != DType::F32) {
      throw DTypeError(std::string("gemm: C is ") + name_of(c.dtype) + ", expected f32 or A's " +
                       name_of(a.dtype));
    }
    if (shape.m == 0 || shape.n == 0 || shape.batch == 0) return;
    const bool dense =
        shape.ldc == shape.n && (shape.batch == 1 || shape.stride_c == shape.m * shape.n);
    if (has_epilogue(epilogue) && !dense) {
      // The epilogue's kernel sweeps a dense result; hanok's own product fuses it instead.
      gemm(context, shape, a, b, epilogue, c);
      return;
    }
    Workspace::Scope scope(context.workspace);
    check(functions_.set_stream(handle_, stream_of(context)), "cublasSetStream");
    check(functions_.set_workspace(handle_, take_aligned(scope, kWorkspaceBytes), kWorkspaceBytes),
          "cublasSetWorkspace");
    const float one = 1, beta = shape.accumulate ? 1 : 0;
    const bool tf32 = a.dtype == DType::F32 && tf32_allowed();
    check(
        functions_.gemm_strided_batched(
            handle_, shape.transpose_b ? kCublasOpT : kCublasOpN,
            shape.transpose_a ? kCublasOpT : kCublasOpN, shape.n, shape.m, shape.k, &one, b.data,
            cuda_type(b.dtype), shape.ldb, shape.stride_b, a.data, cuda_type(a.dtype), shape.lda,
            shape.stride_a, &beta, c.data, cuda_type(c.dtype), shape.ldc, shape.stride_c,
            shape.batch, tf32 ? kCublasCompute32FFastTF32 : kCublasCompute32F, kCublasGemmDefault),
        "cublasGemmStridedBatchedEx");
    if (has_epilogue(epilogue)) {
      apply_epilogue(context, epilogue, shape.batch * shape.m, shape.n, c);
    }
  }

 private:
  void check(CublasStatus status, const char* what) const {
    if (status == 0) return;
    throw DeviceError(std::string(what) + ": " + functions_.status_name(status) + " (" +
                      functions_.status_string(status) + ")");
  }

  const CublasFunctions& functions_;
  std::string name_;
  CublasHandle handle_ = nullptr;
};

}  // namespace

std::unique_ptr<MatrixProduct> make_blas_product(const CublasFunctions& functions, int device,
                                                 std::string name) {
  return std::make_unique<CublasProduct>(functions, device, std::move(name));
}

std::unique_ptr<MatrixProduct> make_cublas_product(int device, std::string* missing) {
  const CublasFunctions* functions = open_cublas(missing);
  if (functions == nullptr) return nullptr;
  return make_blas_product(*functions, device, "cuBLAS " + cublas_version());
}

}  // namespace hanok::cuda
