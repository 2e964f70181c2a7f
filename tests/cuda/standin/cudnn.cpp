// The stand-in for cuDNN, below the choice of plans (cudnn_convolution.cpp is the real one): two
// engines, the CPU's two paths. They round differently, so that the choice is visible in the
// results. standin0_path=1 is the best path and cuDNN's first answer for three images or more;
// standin1_path=0 is the portable path, the first answer for fewer images, and needs a workspace.
#include <algorithm>
#include <array>
#include <cstring>
#include <sstream>
#include <stdexcept>

#include "hanok/kernels/cpu/call.h"
#include "hanok/kernels/cuda/libraries/cudnn_graph.h"
#include "hanok/kernels/cuda/runtime/cuda.h"
#include "tests/cuda/standin/host_work.h"

struct cudnnContext {
  cudaStream_t stream = nullptr;
};

namespace hanok::cuda {
namespace {

constexpr std::size_t kScratch = 1000;

/// Supports scale, shift, residual and ReLU, and batch-norm sums only in f16, like cuDNN on sm_90,
/// so that the separate kernel is used too.
bool knows(const ConvolutionProblem& problem) {
  return !problem.statistics || problem.dtype == DType::F16;
}

void sums(ConstView y, float* sum, float* sum_of_squares) {
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

void compute(ExecContext& host, cpu::Isa isa, const ConvolutionProblem& problem,
             const TensorPointers& tensors) {
  const auto pointer = [&tensors](GraphTensor wanted) -> void* {
    for (const auto& [tensor, data] : tensors) {
      if (tensor == wanted) return data;
    }
    return nullptr;
  };
  const Conv2dShape& shape = problem.shape;
  const auto widened = [&](GraphTensor tensor, const Shape& sizes, DType dtype) {
    return standin::Widened(pointer(tensor), dtype, sizes.numel());
  };
  standin::Widened x = widened(GraphTensor::X, shape.input_shape(), problem.dtype);
  standin::Widened w = widened(GraphTensor::W, shape.weight_shape(), problem.dtype);
  standin::Widened y = widened(GraphTensor::Y, shape.output_shape(), problem.dtype);
  const View input = x.view(shape.input_shape()), filter = w.view(shape.weight_shape()),
             output = y.view(shape.output_shape());
  const cpu::Call call{host, isa};
  switch (problem.pass) {
    case Conv2dPass::Forward: {
      Epilogue epilogue;
      if (problem.scale) epilogue.scale = {pointer(GraphTensor::Scale), DType::F32, {shape.k}};
      if (problem.shift) epilogue.shift = {pointer(GraphTensor::Shift), DType::F32, {shape.k}};
      standin::Widened residual(pointer(GraphTensor::Residual), problem.dtype,
                                problem.residual ? shape.output_shape().numel() : 0);
      if (problem.residual) epilogue.residual = residual.view(shape.output_shape());
      if (problem.relu) epilogue.activation = Activation::Relu;
      cpu::run(call,
               Conv2dForward{
                   .shape = shape, .x = input, .w = filter, .epilogue = epilogue, .y = output});
      y.store();
      if (problem.statistics) {
        sums(standin::Widened(pointer(GraphTensor::Y), problem.dtype, output.numel())
                 .view(output.shape),
             static_cast<float*>(pointer(GraphTensor::Sum)),
             static_cast<float*>(pointer(GraphTensor::SumOfSquares)));
      }
      break;
    }
    case Conv2dPass::BackwardData:
      cpu::run(call, Conv2dBackwardData{.shape = shape, .dy = output, .w = filter, .dx = input});
      x.store();
      break;
    case Conv2dPass::BackwardWeights:
      cpu::run(call, Conv2dBackwardWeights{.shape = shape, .x = input, .dy = output, .dw = filter});
      w.store();
      break;
  }
}

class HostPlan final : public CudnnPlan {
 public:
  HostPlan(const ConvolutionProblem& problem, int engine) : problem_(problem), engine_(engine) {}

  std::string engine() const override {
    return engine_ == 0 ? "standin0_path=1" : "standin1_path=0";
  }
  std::size_t workspace_bytes() const override { return engine_ == 0 ? 0 : kScratch; }

  std::string serialize() const override {
    ConvolutionProblem copy = problem_;
    std::ostringstream out;
    out << "standin " << engine_ << ' ' << static_cast<int>(problem_.pass) << ' '
        << static_cast<int>(problem_.dtype);
    for (const std::int64_t* number : numbers(copy)) out << ' ' << *number;
    for (const bool* flag : flags(copy)) out << ' ' << *flag;
    return out.str();
  }

  static std::unique_ptr<CudnnPlan> parse(const std::string& text) {
    ConvolutionProblem problem;
    std::istringstream in(text);
    std::string word;
    int engine = 0;
    int pass = 0;
    int dtype = 0;
    in >> word >> engine >> pass >> dtype;
    problem.pass = static_cast<Conv2dPass>(pass);
    problem.dtype = static_cast<DType>(dtype);
    for (std::int64_t* number : numbers(problem)) in >> *number;
    for (bool* flag : flags(problem)) in >> *flag;
    if (!in || word != "standin") throw CudnnRefusal("cuDNN: not a plan of the stand-in: " + text);
    return std::make_unique<HostPlan>(problem, engine);
  }

  void execute(CudnnHandle handle, const TensorPointers& tensors, void* workspace) const override {
    const bool portable = engine_ == 1;
    check(standin::enqueue_on_host(handle->stream, "convolution",
                                   [=, problem = problem_](ExecContext& host, cpu::Isa isa) {
                                     if (portable) {
                                       isa = cpu::Isa::Portable;
                                       std::memset(workspace, 0xff, kScratch);
                                     }
                                     compute(host, isa, problem, tensors);
                                   }),
          "convolution");
  }

 private:
  static std::array<std::int64_t*, 16> numbers(ConvolutionProblem& p) {
    Conv2dShape& s = p.shape;
    Window2d& v = s.window;
    return {&s.n,          &s.c,          &s.h,        &s.w,        &s.k,     &s.r,
            &s.s,          &s.groups,     &v.stride_h, &v.stride_w, &v.pad_h, &v.pad_w,
            &v.dilation_h, &v.dilation_w, &s.extra_h,  &s.extra_w};
  }
  static std::array<bool*, 6> flags(ConvolutionProblem& p) {
    return {&p.tf32, &p.scale, &p.shift, &p.residual, &p.relu, &p.statistics};
  }

  ConvolutionProblem problem_;
  int engine_;
};

}  // namespace

bool open_cudnn(std::string* missing) {
  if (!standin::settings().cudnn && missing != nullptr) *missing = "libcudnn was not found";
  return standin::settings().cudnn;
}

/// 9.8.0, the oldest supported version.
std::size_t cudnn_version_number() { return standin::settings().cudnn ? 90800 : 0; }

CudnnHandle create_cudnn_handle() { return new cudnnContext(); }
void destroy_cudnn_handle(CudnnHandle handle) { delete handle; }
void set_cudnn_stream(CudnnHandle handle, cudaStream_t stream) { handle->stream = stream; }

std::vector<std::unique_ptr<CudnnPlan>> build_plans(const ConvolutionProblem& problem, CudnnHandle,
                                                    std::size_t count,
                                                    std::size_t workspace_limit) {
  if (!knows(problem)) {
    throw CudnnRefusal("cuDNN: " + problem.text() + ": the stand-in has no engine for it");
  }
  std::vector<std::unique_ptr<CudnnPlan>> plans;
  const bool few = problem.shape.n < 3;
  for (const int engine : {few ? 1 : 0, few ? 0 : 1}) {
    auto plan = std::make_unique<HostPlan>(problem, engine);
    if (plan->workspace_bytes() <= workspace_limit) plans.push_back(std::move(plan));
  }
  if (plans.size() > count) plans.resize(count);
  return plans;
}

std::unique_ptr<CudnnPlan> load_plan(CudnnHandle, const std::string& text) {
  return HostPlan::parse(text);
}

}  // namespace hanok::cuda
