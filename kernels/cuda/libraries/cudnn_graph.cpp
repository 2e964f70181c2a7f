#include "hanok/kernels/cuda/libraries/cudnn_graph.h"

#include <algorithm>
#include <array>
#include <cudnn_frontend.h>

#include "hanok/kernels/cuda/libraries/dynamic_library.h"

// cudnn-frontend looks up functions in this handle (NV_CUDNN_FRONTEND_USE_DYNAMIC_LOADING).
namespace cudnn_frontend {
void* cudnn_dlhandle = nullptr;
}

namespace hanok::cuda {
namespace {

namespace fe = cudnn_frontend;
using fe::graph::Tensor_attributes;
using GraphValue = std::shared_ptr<Tensor_attributes>;

constexpr std::size_t kOldestCudnn = 90800;  // DeviceProperties; engines for sm_120

void check(fe::error_t status, const char* step) {
  if (status.is_bad()) {
    throw CudnnRefusal(std::string("cuDNN: ") + step + ": " + status.get_message());
  }
}

void check(cudnnStatus_t status, const char* what) {
  if (status != CUDNN_STATUS_SUCCESS) {
    throw DeviceError(std::string(what) + ": " + fe::detail::get_error_string(status));
  }
}

// ---- the graph ----

// cudnn-frontend's graph with access to its internals: hanok selects the engine itself.
class OpenGraph : public fe::graph::Graph {
 public:
  fe::error_t engines(fe::HeurMode_t mode, fe::EngineConfigList& configs) const {
    return fe::detail::query_cudnn_heuristics_impl(
        operation_graph, configs, {mode}, context.get_target_sm_count(), device_properties);
  }
  std::string tag() const { return operation_graph->getTag(); }
};

fe::DataType_t data_type(DType dtype) {
  switch (dtype) {
    case DType::F32:
      return fe::DataType_t::FLOAT;
    case DType::F16:
      return fe::DataType_t::HALF;
    case DType::BF16:
      return fe::DataType_t::BFLOAT16;
    default:
      throw DTypeError(std::string("conv2d: ") + name_of(dtype) +
                       " on CUDA; f32, f16 and bf16 are supported");
  }
}

// Logical N,C,H,W sizes with strides for N,H,W,C (weights: K,C,R,S stored as K,R,S,C).
using Sizes = std::array<std::int64_t, 4>;

void lay_out(Tensor_attributes& tensor, GraphTensor number, const Sizes& sizes,
             fe::DataType_t type) {
  const auto [n, c, h, w] = sizes;
  tensor.set_uid(static_cast<std::int64_t>(number))
      .set_dim({n, c, h, w})
      .set_stride({c * h * w, 1, c * w, c})
      .set_data_type(type);
}

// The tensors of one problem's graph.
class GraphOfConvolution {
 public:
  GraphOfConvolution(const ConvolutionProblem& problem, OpenGraph& graph)
      : problem_(problem), s_(problem.shape), graph_(graph), type_(data_type(problem.dtype)) {
    graph_.set_io_data_type(type_)
        .set_intermediate_data_type(fe::DataType_t::FLOAT)
        .set_compute_data_type(fe::DataType_t::FLOAT);
    switch (problem.pass) {
      case Conv2dPass::Forward:
        forward();
        break;
      case Conv2dPass::BackwardData:
        result(graph_.conv_dgrad(input(GraphTensor::Y, y_sizes()), input(GraphTensor::W, w_sizes()),
                                 window(fe::graph::Conv_dgrad_attributes())),
               GraphTensor::X, x_sizes());
        break;
      case Conv2dPass::BackwardWeights:
        result(graph_.conv_wgrad(input(GraphTensor::Y, y_sizes()), input(GraphTensor::X, x_sizes()),
                                 window(fe::graph::Conv_wgrad_attributes())),
               GraphTensor::W, w_sizes());
        break;
    }
  }

 private:
  Sizes x_sizes() const { return {s_.n, s_.c, s_.h, s_.w}; }
  Sizes w_sizes() const { return {s_.k, s_.c_per_group(), s_.r, s_.s}; }
  Sizes y_sizes() const { return {s_.n, s_.k, s_.p(), s_.q()}; }

  template <typename Attributes>
  Attributes window(Attributes attributes) const {
    const Window2d& w = s_.window;
    attributes.set_pre_padding({w.pad_h, w.pad_w})
        .set_post_padding({w.pad_h + s_.extra_h, w.pad_w + s_.extra_w})
        .set_stride({w.stride_h, w.stride_w})
        .set_dilation({w.dilation_h, w.dilation_w})
        .set_compute_data_type(fe::DataType_t::FLOAT);
    return attributes;
  }

  GraphValue input(GraphTensor number, const Sizes& sizes) { return input(number, sizes, type_); }
  GraphValue input(GraphTensor number, const Sizes& sizes, fe::DataType_t type) {
    Tensor_attributes attributes;
    lay_out(attributes, number, sizes, type);
    return graph_.tensor(attributes);
  }
  GraphValue channels(GraphTensor number) {
    return input(number, {1, s_.k, 1, 1}, fe::DataType_t::FLOAT);
  }

  void result(const GraphValue& value, GraphTensor number, const Sizes& sizes) {
    result(value, number, sizes, type_);
  }
  static void result(const GraphValue& value, GraphTensor number, const Sizes& sizes,
                     fe::DataType_t type) {
    lay_out(*value, number, sizes, type);
    value->set_output(true);
  }

  GraphValue pointwise(fe::PointwiseMode_t mode, const GraphValue& a, const GraphValue& b) {
    return graph_.pointwise(a, b, fe::graph::Pointwise_attributes().set_mode(mode));
  }

  void forward() {
    GraphValue value =
        graph_.conv_fprop(input(GraphTensor::X, x_sizes()), input(GraphTensor::W, w_sizes()),
                          window(fe::graph::Conv_fprop_attributes()));
    if (problem_.scale) {
      value = pointwise(fe::PointwiseMode_t::MUL, value, channels(GraphTensor::Scale));
    }
    if (problem_.shift) {
      value = pointwise(fe::PointwiseMode_t::ADD, value, channels(GraphTensor::Shift));
    }
    if (problem_.residual) {
      value = pointwise(fe::PointwiseMode_t::ADD, value, input(GraphTensor::Residual, y_sizes()));
    }
    if (problem_.relu) {
      value = graph_.pointwise(
          value, fe::graph::Pointwise_attributes().set_mode(fe::PointwiseMode_t::RELU_FWD));
    }
    result(value, GraphTensor::Y, y_sizes());
    if (problem_.statistics) {
      const auto [sum, sum_of_squares] = graph_.genstats(value, fe::graph::Genstats_attributes());
      result(sum, GraphTensor::Sum, {1, s_.k, 1, 1}, fe::DataType_t::FLOAT);
      result(sum_of_squares, GraphTensor::SumOfSquares, {1, s_.k, 1, 1}, fe::DataType_t::FLOAT);
    }
  }

  const ConvolutionProblem& problem_;
  const Conv2dShape& s_;
  OpenGraph& graph_;
  fe::DataType_t type_;
};

// ---- plans ----

class FrontendPlan final : public CudnnPlan {
 public:
  FrontendPlan(std::shared_ptr<fe::ExecutionPlan> plan, std::shared_ptr<OpenGraph> graph)
      : plan_(std::move(plan)), graph_(std::move(graph)) {}

  // The name starts with one underscore per operation of the graph.
  std::string engine() const override {
    const std::string& tag = plan_->getTag();
    const std::size_t begin = tag.find_first_not_of('_');
    return begin == std::string::npos ? tag : tag.substr(begin);
  }
  std::size_t workspace_bytes() const override {
    return static_cast<std::size_t>(plan_->getWorkspaceSize());
  }
  std::string serialize() const override { return plan_->getJsonRepresentation(); }

  void execute(CudnnHandle handle, const TensorPointers& tensors, void* workspace) const override {
    std::vector<void*> pointers;
    std::vector<std::int64_t> numbers;
    for (const auto& [number, pointer] : tensors) {
      pointers.push_back(pointer);
      numbers.push_back(static_cast<std::int64_t>(number));
    }
    fe::error_t status = fe::detail::execute(handle, plan_.get(), pointers, numbers, workspace);
    if (status.is_bad()) throw DeviceError("cuDNN: " + engine() + ": " + status.get_message());
  }

  bool keeps_promises(const ConvolutionProblem& problem) const {
    for (const cudnnBackendNumericalNote_t note : plan_->getAllNumericNotes()) {
      switch (note) {
        case CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC:
        case CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION:
          return false;
        case CUDNN_NUMERICAL_NOTE_TENSOR_CORE:
        case CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS:
          if (problem.dtype == DType::F32 && !problem.tf32) return false;
          break;
        default:
          break;
      }
    }
    return true;
  }

 private:
  std::shared_ptr<fe::ExecutionPlan> plan_;
  std::shared_ptr<OpenGraph> graph_;  // owns descriptors used by the plan
};

std::vector<std::unique_ptr<CudnnPlan>> search(
    const ConvolutionProblem& problem, CudnnHandle handle,
    const std::shared_ptr<const fe::DeviceProperties>& device, std::size_t count,
    std::size_t workspace_limit) {
  auto graph = std::make_shared<OpenGraph>();
  const GraphOfConvolution description(problem, *graph);
  if (device != nullptr) graph->set_device_properties(device);
  check(graph->validate(), "the graph is not valid");
  check(device != nullptr ? graph->build_operation_graph() : graph->build_operation_graph(handle),
        "the operation graph was rejected");

  std::vector<std::unique_ptr<CudnnPlan>> plans;
  std::string reason = "no engine has the requested precision and determinism";
  for (const fe::HeurMode_t mode : {fe::HeurMode_t::A, fe::HeurMode_t::FALLBACK}) {
    fe::EngineConfigList configs;
    fe::error_t found = graph->engines(mode, configs);
    if (found.is_bad()) reason = "no engine: " + found.get_message();
    for (const auto& config : configs) {
      std::shared_ptr<fe::ExecutionPlan> built;
      fe::error_t status =
          fe::detail::create_cudnn_execution_plan(built, config, graph->tag(), nullptr);
      if (status.is_bad()) {
        reason = "no plan: " + status.get_message();
        continue;
      }
      auto plan = std::make_unique<FrontendPlan>(built, graph);
      if (!plan->keeps_promises(problem) || plan->workspace_bytes() > workspace_limit) continue;
      plans.push_back(std::move(plan));
      if (plans.size() == count) return plans;
    }
    if (!plans.empty()) return plans;  // the fallback list only if the first gave nothing
  }
  throw CudnnRefusal("cuDNN: " + problem.text() + ": " + reason);
}

// cudnn-frontend throws its own exceptions for functions missing in the library.
template <typename Function>
auto translated(const ConvolutionProblem& problem, Function&& function) {
  try {
    return function();
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    throw CudnnRefusal("cuDNN: " + problem.text() + ": " + error.what());
  }
}

struct Opened {
  bool usable = false;
  std::string missing;
};

Opened open() {
  Opened opened;
  fe::cudnn_dlhandle =
      open_library({"cuDNN",
                    {"libcudnn.so.9"},
                    "cuDNN 9.8 or newer for CUDA " + std::to_string(CUDART_VERSION / 1000),
                    "it comes from NVIDIA's cuDNN page, or with `pip install nvidia-cudnn-cu" +
                        std::to_string(CUDART_VERSION / 1000) + "`"},
                   &opened.missing);
  if (fe::cudnn_dlhandle == nullptr) return opened;
  if (find_function(fe::cudnn_dlhandle, "cudnnGetVersion") == nullptr ||
      find_function(fe::cudnn_dlhandle, "cudnnBackendExecute") == nullptr) {
    opened.missing = "cuDNN: the library has no graph API; needed: cuDNN 9.8 or newer";
  } else if (const std::size_t version = fe::detail::get_backend_version();
             version < kOldestCudnn) {
    opened.missing = "cuDNN: found version number " + std::to_string(version) +
                     "; needed: cuDNN 9.8 (" + std::to_string(kOldestCudnn) + ") or newer";
  } else {
    opened.usable = true;
  }
  return opened;
}

const Opened& opened() {
  static const Opened once = open();
  return once;
}

}  // namespace

bool open_cudnn(std::string* missing) {
  if (!opened().usable && missing != nullptr) *missing = opened().missing;
  return opened().usable;
}

std::size_t cudnn_version_number() {
  return opened().usable ? fe::detail::get_backend_version() : 0;
}

CudnnHandle create_cudnn_handle() {
  CudnnHandle handle = nullptr;
  check(fe::detail::create_handle(&handle), "cudnnCreate");
  return handle;
}

void destroy_cudnn_handle(CudnnHandle handle) { fe::detail::destroy_handle(handle); }

void set_cudnn_stream(CudnnHandle handle, cudaStream_t stream) {
  check(fe::detail::set_stream(handle, stream), "cudnnSetStream");
}

std::vector<std::unique_ptr<CudnnPlan>> build_plans(const ConvolutionProblem& problem,
                                                    CudnnHandle handle, std::size_t count,
                                                    std::size_t workspace_limit) {
  return translated(problem,
                    [&] { return search(problem, handle, nullptr, count, workspace_limit); });
}

std::vector<std::unique_ptr<CudnnPlan>> build_plans_for(const ConvolutionProblem& problem,
                                                        const std::string& device_json,
                                                        std::size_t count,
                                                        std::size_t workspace_limit) {
  return translated(problem, [&] {
    const auto device = std::make_shared<fe::DeviceProperties>();
    check(device->deserialize({device_json.begin(), device_json.end()}),
          "the device's description was rejected");
    return search(problem, nullptr, device, count, workspace_limit);
  });
}

std::unique_ptr<CudnnPlan> load_plan(CudnnHandle handle, const std::string& text) {
  std::shared_ptr<fe::ExecutionPlan> plan;
  try {
    check(fe::detail::create_cudnn_execution_plan(plan, text, handle),
          "a stored plan was rejected");
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    throw CudnnRefusal(std::string("cuDNN: a stored plan was rejected: ") + error.what());
  }
  return std::make_unique<FrontendPlan>(std::move(plan), nullptr);
}

}  // namespace hanok::cuda
