#include "hanok/apps/training/step_graph.h"

#include <fmt/format.h>

#include "hanok/engine/allocator.h"
#include "hanok/engine/runtime.h"
#include "hanok/kernels/base/error.h"

namespace hanok::training {

/// The recording and everything that it reads and writes and that others see.
struct StepGraph::Recorded {
  Kind kind;
  std::int64_t choice = 0;  // of the optimiser
  StepInputs inputs;        // written before a replay
  StepResults results;
  std::vector<std::pair<Tensor, Tensor>> gradients;  // parameter, gradient
  std::vector<Tensor> written;                       // of the model
  std::unique_ptr<Recording> recording;              // goes first
};

StepGraph::StepGraph(const TrainingStep& step, Reporter& reporter, const Settings& settings)
    : step_(step), reporter_(reporter), settings_(settings) {
  if (settings_.device.is_cpu()) settings_.enabled = false;
}

StepGraph::~StepGraph() = default;

StepResults StepGraph::run(const StepInputs& inputs, const StepRequest& request, Shapes shapes) {
  if (settings_.enabled && shapes == Shapes::Repeat && why_not_.empty()) {
    const Kind kind{inputs.images.shape(), inputs.targets.shape(),
                    inputs.images.dtype(), inputs.targets.dtype(),
                    request.cut,           inputs.phase};
    if (!is_recorded(kind)) {
      recorded_.reset();
      if (warm_ != nullptr && *warm_ == kind) record(kind, inputs);
    }
    warm_ = std::make_unique<Kind>(kind);
    if (recorded_ != nullptr) {
      ++steps_;
      return replay(inputs);
    }
  }
  StepResults results = step_(inputs, request);
  ++steps_;
  return results;
}

bool StepGraph::is_recorded(const Kind& kind) const {
  return recorded_ != nullptr && recorded_->kind == kind &&
         recorded_->choice == step_.context().optimizer.choice();
}

void StepGraph::record(const Kind& kind, const StepInputs& inputs) {
  nn::Module& model = step_.context().model;
  const Device device = settings_.device;
  auto recorded = std::make_unique<Recorded>();
  recorded->kind = kind;
  try {
    const MemoryTag tag("batches");
    recorded->inputs = inputs;
    recorded->inputs.images = Tensor::empty(kind.images, {kind.images_type, device});
    recorded->inputs.targets = Tensor::empty(kind.targets, {kind.targets_type, device});
    recorded->inputs.denominator_tensor = Tensor::empty({}, {DType::F32, device});
    // Memory that earlier steps allocated and freed makes room for the recording's own.
    step_.context().optimizer.zero_grad();
    context_of(device).workspace.release_all();
    allocator_of(device).release_cached();
    std::vector<std::pair<Tensor, std::uint64_t>> versions;
    for (const auto& [name, tensor] : model.state_dict()) {
      versions.emplace_back(tensor, tensor.version());
    }
    recorded->recording = std::make_unique<Recording>(device, [&] {
      recorded->results = step_(
          recorded->inputs, {.cut = kind.cut, .with_gradient_norm = settings_.with_gradient_norm});
    });
    for (const auto& [tensor, version] : versions) {
      if (tensor.version() != version) recorded->written.push_back(tensor);
    }
  } catch (const Error& error) {
    recorded.reset();
    stop(fmt::format("it cannot be recorded: {}", error.what()));
    return;
  }
  recorded->choice = step_.context().optimizer.choice();
  for (const Tensor& parameter : model.parameters()) {
    if (parameter.grad().defined()) {
      recorded->gradients.emplace_back(parameter, parameter.grad());
    }
  }
  recorded_ = std::move(recorded);
  ++recordings_;
}

StepResults StepGraph::replay(const StepInputs& inputs) {
  Recorded& recorded = *recorded_;
  recorded.inputs.images.copy_from(inputs.images);
  recorded.inputs.targets.copy_from(inputs.targets);
  run_on(settings_.device,
         Fill{recorded.inputs.denominator_tensor.mutable_view(), inputs.denominator});
  nn::Optimizer& optimizer = step_.context().optimizer;
  optimizer.write_rates();
  recorded.recording->replay();
  optimizer.count_step();
  for (Tensor& tensor : recorded.written) tensor.mutable_view();  // a new version
  for (auto& [parameter, gradient] : recorded.gradients) parameter.set_grad(gradient);
  ++replays_;
  return recorded.results;
}

StepGraph::Layout StepGraph::layout() const {
  Layout layout;
  const auto add = [&layout](const Tensor& tensor) {
    layout.emplace_back(tensor.view().data, tensor.requires_grad());
  };
  for (const Tensor& parameter : step_.context().model.parameters()) add(parameter);
  for (const nn::NamedTensor& buffer : step_.context().model.named_buffers()) add(buffer.tensor);
  return layout;
}

void StepGraph::check_model(std::size_t cut) {
  if (!settings_.enabled) return;
  Layout now = layout();
  if (now == layout_ && cut == cut_) return;
  layout_ = std::move(now);
  cut_ = cut;
  recorded_.reset();
  warm_.reset();
}

bool StepGraph::give_up(const std::string& why) {
  if (recorded_ == nullptr) return false;
  stop(why);
  return true;
}

void StepGraph::stop(const std::string& why) {
  why_not_ = why;
  recorded_.reset();
  warm_.reset();
  allocator_of(settings_.device).release_cached();
  reporter_.print(fmt::format(
      "no CUDA graph of the step from here on, its ops are launched one by one: {}\n", why));
}

std::string StepGraph::describe() const {
  if (!settings_.enabled) return "";
  std::string text = fmt::format("recorded {} time{}, replayed in {} of {} steps", recordings_,
                                 recordings_ == 1 ? "" : "s", replays_, steps_);
  if (!why_not_.empty()) text += "; given up: " + why_not_;
  return text;
}

}  // namespace hanok::training
