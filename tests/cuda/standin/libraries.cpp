// What stands in for cuBLAS and cuDNN: the CPU's kernels, which read and write the same memory, as
// deferred work on the stream like everything else. What is built on the two libraries
// (blas_product.cpp, fused_convolution.cpp) is the real thing.
#include <cstdlib>
#include <new>
#include <stdexcept>

#include "kernels/cpu/conv2d.h"
#include "kernels/cpu/gemm.h"
#include "kernels/cuda/cublas.h"
#include "kernels/cuda/cuda.h"
#include "kernels/cuda/cudnn_convolution.h"
#include "kernels/cuda/fused_convolution.h"
#include "tests/cuda/standin/machine.h"

struct cublasContext {
  cudaStream_t stream = nullptr;
};

namespace hanok::cuda {
namespace {

/// Threads and scratch memory of the stand-in's own: the caller's are the device's.
ExecContext& host_context() {
  static ThreadPool pool(1);
  static Workspace workspace(
      [](std::size_t bytes) { return ::operator new (bytes, std::align_val_t{64}); },
      [](void* data, std::size_t) { ::operator delete (data, std::align_val_t{64}); });
  static ExecContext context{pool, workspace, nullptr};
  return context;
}

template <typename Work>
cudaError_t enqueue(cudaStream_t stream, const char* name, Work work) {
  return standin::enqueue(stream, name, [work] {
    const FlushDenormals flush;
    work(host_context(), cpu::choose_isa());
  });
}

// ---- cuBLAS ----

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
CublasStatus set_stream(CublasHandle handle, cudaStream_t stream) {
  handle->stream = stream;
  return 0;
}
CublasStatus set_workspace(CublasHandle, void*, std::size_t) { return 0; }
const char* status_name(CublasStatus) { return "CUBLAS_STATUS_NOT_SUPPORTED"; }
const char* status_string(CublasStatus) { return "the stand-in multiplies f32 by alpha = 1 only"; }

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
  if (type_a != kCudaR32F || type_b != kCudaR32F || type_c != kCudaR32F ||
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
  const auto view = [](const void* data, std::int64_t count) {
    return ConstView{data, DType::F32, {count}};
  };
  const ConstView left = view(b, n * k);
  const ConstView right = view(a, k * m);
  const View result{c, DType::F32, {n * m}};
  const cudaError_t status = enqueue(handle->stream, "gemm", [=](ExecContext& host, cpu::Isa isa) {
    cpu::gemm(host, isa, shape, left, right, Epilogue(), result);
  });
  return status == cudaSuccess ? 0 : kNotSupported;
}

// ---- cuDNN ----

/// Knows f32 convolutions with scale, shift, residual and ReLU, but no batch-norm sums: so the
/// separate kernel for these runs too.
class HostEngines final : public ConvolutionEngines {
 public:
  bool run(ExecContext& context, const ConvolutionProblem& problem,
           const TensorPointers& tensors) override {
    if (!knows(problem)) return false;
    const auto pointer = [&tensors](GraphTensor wanted) -> void* {
      for (const auto& [tensor, data] : tensors) {
        if (tensor == wanted) return data;
      }
      return nullptr;
    };
    const Conv2dShape shape = problem.shape;
    const View x{pointer(GraphTensor::X), DType::F32, shape.input_shape()};
    const View w{pointer(GraphTensor::W), DType::F32, shape.weight_shape()};
    const View y{pointer(GraphTensor::Y), DType::F32, shape.output_shape()};
    Epilogue epilogue;
    if (problem.scale) epilogue.scale = {pointer(GraphTensor::Scale), DType::F32, {shape.k}};
    if (problem.shift) epilogue.shift = {pointer(GraphTensor::Shift), DType::F32, {shape.k}};
    if (problem.residual) {
      epilogue.residual = {pointer(GraphTensor::Residual), DType::F32, shape.output_shape()};
    }
    if (problem.relu) epilogue.activation = Activation::Relu;
    const Conv2dPass pass = problem.pass;
    check(enqueue(stream_of(context), "convolution",
                  [=](ExecContext& host, cpu::Isa isa) {
                    switch (pass) {
                      case Conv2dPass::Forward:
                        cpu::conv2d_forward(host, isa, shape, x, w, nullptr, epilogue, y);
                        break;
                      case Conv2dPass::BackwardData:
                        cpu::conv2d_backward_data(host, isa, shape, y, w, nullptr, x);
                        break;
                      case Conv2dPass::BackwardWeights:
                        cpu::conv2d_backward_weights(host, isa, shape, x, y, w);
                        break;
                    }
                  }),
          "convolution");
    return true;
  }
  std::string engine(const ConvolutionProblem& problem) override {
    return knows(problem) ? "stand-in" : "";
  }
  std::size_t workspace_bytes(const ConvolutionProblem&) override { return 0; }

 private:
  static bool knows(const ConvolutionProblem& problem) {
    return problem.dtype == DType::F32 && !problem.statistics;
  }
};

bool is_there(bool library, const char* name, std::string* missing) {
  if (!library && missing != nullptr) *missing = std::string(name) + " was not found";
  return library;
}

}  // namespace

const CublasFunctions* open_cublas(std::string* missing) {
  if (!is_there(standin::settings().cublas, "libcublas", missing)) return nullptr;
  static const CublasFunctions functions{create,      destroy,       get_version,
                                         set_stream,  set_workspace, gemm_strided_batched,
                                         status_name, status_string};
  return &functions;
}

std::string cublas_version() { return standin::settings().cublas ? "(stand-in)" : ""; }

CudnnOptions cudnn_options() { return {}; }
void set_cudnn_options(const CudnnOptions&) {}
std::vector<std::string> cudnn_plan_records() { return {}; }
std::string cudnn_version() { return standin::settings().cudnn ? "(stand-in)" : ""; }

std::unique_ptr<Convolution> make_cudnn_convolution(int, std::string* missing) {
  if (!is_there(standin::settings().cudnn, "libcudnn", missing)) return nullptr;
  return make_fused_convolution(std::make_unique<HostEngines>());
}

}  // namespace hanok::cuda
