#include "hanok/kernels/cuda/conv/fused_convolution.h"

#include <algorithm>
#include <set>
#include <string>

#include "hanok/kernels/base/error.h"
#include "hanok/kernels/cuda/conv/conv2d.h"
#include "hanok/kernels/cuda/gemm/precision.h"
#include "hanok/kernels/cuda/ops/channel_sums.h"
#include "hanok/kernels/cuda/ops/epilogue.h"
#include "hanok/kernels/primitives/layout.h"

namespace hanok::cuda {
namespace {

bool has_pointwise(const Epilogue& epilogue) {
  return epilogue.scale.defined() || epilogue.shift.defined() || epilogue.residual.defined() ||
         epilogue.activation != Activation::None;
}

void* pointer(const ConstView& view) {
  return const_cast<void*>(view.data);  // NOLINT(*-const-cast): TensorPointers holds outputs too
}

class FusedConvolution final : public Convolution {
 public:
  explicit FusedConvolution(std::unique_ptr<ConvolutionEngines> engines)
      : engines_(std::move(engines)) {}

  const char* algorithm(Conv2dPass pass, const Conv2dShape& shape) const override {
    const std::string engine = engines_->engine(plain(pass, shape, DType::F32));
    return engine.empty() ? conv2d_algorithm(pass, shape) : names_.insert(engine).first->c_str();
  }

  std::size_t workspace_bytes(Conv2dPass pass, const Conv2dShape& shape) const override {
    const ConvolutionProblem problem = plain(pass, shape, DType::F32);
    if (engines_->engine(problem).empty()) return conv2d_workspace_bytes(pass, shape);
    const std::size_t bytes = engines_->workspace_bytes(problem);
    if (pass != Conv2dPass::Forward) return bytes;
    // The moments' kernel runs after the convolution has released its workspace.
    return std::max(bytes, column_moments_bytes(shape.n * shape.p() * shape.q(), shape.k));
  }

  // The alternatives, the most fused first: everything in one kernel; the sums in a separate
  // kernel; the convolution alone followed by hanok's epilogue; hanok's own convolution.
  void forward(ExecContext& context, const Conv2dShape& shape, ConstView x, ConstView w,
               const Epilogue& epilogue, View y) override {
    check_types(x, w, y.dtype);
    ConvolutionProblem problem = plain(Conv2dPass::Forward, shape, x.dtype);
    TensorPointers tensors = {
        {GraphTensor::X, pointer(x)}, {GraphTensor::W, pointer(w)}, {GraphTensor::Y, y.data}};
    const TensorPointers plain_tensors = tensors;
    const std::int64_t rows = shape.n * shape.p() * shape.q();

    // f32 sums of squares are too coarse for f32 activations (channel_sums.h).
    if (epilogue.bn_mean_var.defined() && !has_pointwise(epilogue) && x.dtype != DType::F32) {
      problem.statistics = true;
      Workspace::Scope scope(context.workspace);
      auto* sums = scope.take_array<float>(2 * shape.k);
      tensors.emplace_back(GraphTensor::Sum, sums);
      tensors.emplace_back(GraphTensor::SumOfSquares, sums + shape.k);
      if (run(context, problem, tensors)) {
        moments_from_sums(context, sums, sums + shape.k, rows, shape.k, epilogue.bn_mean_var);
        return;
      }
      problem.statistics = false;
      tensors = plain_tensors;
    }
    if (has_pointwise(epilogue)) {
      problem.scale = epilogue.scale.defined();
      problem.shift = epilogue.shift.defined();
      problem.residual = epilogue.residual.defined();
      problem.relu = epilogue.activation == Activation::Relu;
      if (problem.scale) tensors.emplace_back(GraphTensor::Scale, pointer(epilogue.scale));
      if (problem.shift) tensors.emplace_back(GraphTensor::Shift, pointer(epilogue.shift));
      if (problem.residual) tensors.emplace_back(GraphTensor::Residual, pointer(epilogue.residual));
      if (run(context, problem, tensors)) {
        Epilogue rest;
        rest.bn_mean_var = epilogue.bn_mean_var;
        apply_epilogue(context, rest, rows, shape.k, y);
        return;
      }
    }
    if (run(context, plain(Conv2dPass::Forward, shape, x.dtype), plain_tensors)) {
      apply_epilogue(context, epilogue, rows, shape.k, y);
    } else {
      conv2d_forward(context, shape, x, w, epilogue, y);
    }
  }

  void backward_data(ExecContext& context, const Conv2dShape& shape, ConstView dy, ConstView w,
                     View dx) override {
    check_types(dy, w, dx.dtype);
    if (!run(context, plain(Conv2dPass::BackwardData, shape, dy.dtype),
             {{GraphTensor::Y, pointer(dy)},
              {GraphTensor::W, pointer(w)},
              {GraphTensor::X, dx.data}})) {
      conv2d_backward_data(context, shape, dy, w, dx);
    }
  }

  // dw is f32, but engines write the operands' type: cuDNN 9.19 has none on sm_90 from 16 bits to
  // f32 except one that it would compile at run time. So 16-bit results are converted afterwards.
  void backward_weights(ExecContext& context, const Conv2dShape& shape, ConstView x, ConstView dy,
                        View dw) override {
    check_types(x, dy, x.dtype);
    if (dw.dtype != DType::F32) {
      throw DTypeError(std::string("conv2d: the gradient of weights is f32 on CUDA, got ") +
                       name_of(dw.dtype));
    }
    Workspace::Scope scope(context.workspace);
    View result = dw;
    if (x.dtype != DType::F32) {
      result.dtype = x.dtype;
      result.data = scope.take(size_of(x.dtype) * static_cast<std::size_t>(dw.numel()));
    }
    if (!run(context, plain(Conv2dPass::BackwardWeights, shape, x.dtype),
             {{GraphTensor::X, pointer(x)},
              {GraphTensor::Y, pointer(dy)},
              {GraphTensor::W, result.data}})) {
      conv2d_backward_weights(context, shape, x, dy, dw);
    } else if (result.dtype != dw.dtype) {
      cuda::run(context, Cast{dw, result});
    }
  }

 private:
  static ConvolutionProblem plain(Conv2dPass pass, const Conv2dShape& shape, DType dtype) {
    ConvolutionProblem problem;
    problem.pass = pass;
    problem.shape = shape;
    problem.dtype = dtype;
    problem.tf32 = dtype == DType::F32 && tf32_allowed();
    return problem;
  }

  static void check_types(const ConstView& a, const ConstView& b, DType result) {
    if (a.dtype != b.dtype || a.dtype != result) {
      throw DTypeError(std::string("conv2d: CUDA requires operands of one type, got ") +
                       name_of(a.dtype) + ", " + name_of(b.dtype) + " and " + name_of(result));
    }
  }

  bool run(ExecContext& context, const ConvolutionProblem& problem, const TensorPointers& tensors) {
    return engines_->run(context, problem, tensors);
  }

  std::unique_ptr<ConvolutionEngines> engines_;
  mutable std::set<std::string> names_;  // storage for the result of algorithm()
};

}  // namespace

std::unique_ptr<Convolution> make_fused_convolution(std::unique_ptr<ConvolutionEngines> engines) {
  return std::make_unique<FusedConvolution>(std::move(engines));
}

}  // namespace hanok::cuda
