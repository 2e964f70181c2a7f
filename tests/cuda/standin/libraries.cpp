// What stands in for cuBLAS and cuDNN: the CPU's kernels, which read and write the same memory, as
// deferred work on the stream like everything else. f16 and bf16 are computed in f32 and rounded
// once, as tensor cores with f32 sums do. What is built on the two libraries
// (blas_product.cpp, fused_convolution.cpp) is the real thing.
#include <cstdlib>
#include <new>
#include <stdexcept>
#include <vector>

#include "kernels/base/half.h"
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

/// Elements of a host array as f32: the array itself, or a copy of its 16-bit values.
class Widened {
 public:
  Widened(const void* data, DType dtype, std::int64_t count)
      : data_(data), dtype_(dtype), values_(dtype == DType::F32 ? 0U : std::size_t(count)) {
    for (std::size_t i = 0; i < values_.size(); ++i) {
      values_[i] = dtype == DType::F16 ? to_float(static_cast<const F16*>(data)[i])
                                       : to_float(static_cast<const BF16*>(data)[i]);
    }
  }
  View view(const Shape& shape) {
    // NOLINTNEXTLINE(*-const-cast): results are arrays that may be written
    return {dtype_ == DType::F32 ? const_cast<void*>(data_) : values_.data(), DType::F32, shape};
  }
  /// Rounds the copy back into the array.
  void store() const {
    void* to = const_cast<void*>(data_);  // NOLINT(*-const-cast): as above
    for (std::size_t i = 0; i < values_.size(); ++i) {
      if (dtype_ == DType::F16) {
        static_cast<F16*>(to)[i] = to_f16(values_[i]);
      } else {
        static_cast<BF16*>(to)[i] = to_bf16(values_[i]);
      }
    }
  }

 private:
  const void* data_;
  DType dtype_;
  std::vector<float> values_;
};

// ---- cuBLAS ----

/// The DType of one of cuBLAS's three; U8 for others.
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
  const cudaError_t status = enqueue(handle->stream, "gemm", [=](ExecContext& host, cpu::Isa isa) {
    // From the first to the last element of a matrix (row-major) and its batch.
    const auto span = [&shape](std::int64_t rows, std::int64_t columns, std::int64_t row,
                               std::int64_t stride) {
      return rows * columns == 0 ? 0 : (shape.batch - 1) * stride + (rows - 1) * row + columns;
    };
    const std::int64_t left_rows = shape.transpose_a ? shape.k : shape.m;
    const std::int64_t right_rows = shape.transpose_b ? shape.n : shape.k;
    Widened left(b, operands,
                 span(left_rows, shape.m + shape.k - left_rows, shape.lda, shape.stride_a));
    Widened right(a, operands,
                  span(right_rows, shape.n + shape.k - right_rows, shape.ldb, shape.stride_b));
    Widened result(c, results, span(shape.m, shape.n, shape.ldc, shape.stride_c));
    cpu::gemm(host, isa, shape, left.view({shape.m * shape.k}), right.view({shape.k * shape.n}),
              Epilogue(), result.view({shape.m * shape.n}));
    result.store();
  });
  return status == cudaSuccess ? 0 : kNotSupported;
}

// ---- cuDNN ----

/// Knows convolutions with scale, shift, residual and ReLU, and batch-norm sums in f16 alone, as
/// cuDNN on sm_90: so the separate kernel for these runs too.
class HostEngines final : public ConvolutionEngines {
 public:
  bool run(ExecContext& context, const ConvolutionProblem& problem,
           const TensorPointers& tensors) override {
    if (!knows(problem)) return false;
    check(enqueue(stream_of(context), "convolution",
                  [=](ExecContext& host, cpu::Isa isa) { compute(host, isa, problem, tensors); }),
          "convolution");
    return true;
  }
  std::string engine(const ConvolutionProblem& problem) override {
    return knows(problem) ? "stand-in" : "";
  }
  std::size_t workspace_bytes(const ConvolutionProblem&) override { return 0; }

 private:
  static bool knows(const ConvolutionProblem& problem) {
    return !problem.statistics || problem.dtype == DType::F16;
  }

  static void compute(ExecContext& host, cpu::Isa isa, const ConvolutionProblem& problem,
                      const TensorPointers& tensors) {
    const auto pointer = [&tensors](GraphTensor wanted) -> void* {
      for (const auto& [tensor, data] : tensors) {
        if (tensor == wanted) return data;
      }
      return nullptr;
    };
    const Conv2dShape& shape = problem.shape;
    const auto widened = [&](GraphTensor tensor, const Shape& sizes, DType dtype) {
      return Widened(pointer(tensor), dtype, sizes.numel());
    };
    Widened x = widened(GraphTensor::X, shape.input_shape(), problem.dtype);
    Widened w = widened(GraphTensor::W, shape.weight_shape(), problem.dtype);
    Widened y = widened(GraphTensor::Y, shape.output_shape(), problem.dtype);
    const View input = x.view(shape.input_shape()), filter = w.view(shape.weight_shape()),
               output = y.view(shape.output_shape());
    switch (problem.pass) {
      case Conv2dPass::Forward: {
        Epilogue epilogue;
        if (problem.scale) epilogue.scale = {pointer(GraphTensor::Scale), DType::F32, {shape.k}};
        if (problem.shift) epilogue.shift = {pointer(GraphTensor::Shift), DType::F32, {shape.k}};
        Widened residual(pointer(GraphTensor::Residual), problem.dtype,
                         problem.residual ? shape.output_shape().numel() : 0);
        if (problem.residual) epilogue.residual = residual.view(shape.output_shape());
        if (problem.relu) epilogue.activation = Activation::Relu;
        cpu::conv2d_forward(host, isa, shape, input, filter, nullptr, epilogue, output);
        y.store();
        if (problem.statistics) {
          sums(Widened(pointer(GraphTensor::Y), problem.dtype, output.numel()).view(output.shape),
               static_cast<float*>(pointer(GraphTensor::Sum)),
               static_cast<float*>(pointer(GraphTensor::SumOfSquares)));
        }
        break;
      }
      case Conv2dPass::BackwardData:
        cpu::conv2d_backward_data(host, isa, shape, output, filter, nullptr, input);
        x.store();
        break;
      case Conv2dPass::BackwardWeights:
        cpu::conv2d_backward_weights(host, isa, shape, input, output, filter);
        w.store();
        break;
    }
  }

  static void sums(ConstView y, float* sum, float* sum_of_squares) {
    const std::int64_t channels = y.shape[1];
    for (std::int64_t c = 0; c < channels; ++c) {
      double first = 0, second = 0;
      for (std::int64_t i = c; i < y.numel(); i += channels) {
        const double value = y.f32()[i];
        first += value;
        second += value * value;
      }
      sum[c] = static_cast<float>(first);
      sum_of_squares[c] = static_cast<float>(second);
    }
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
