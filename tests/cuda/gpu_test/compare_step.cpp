// Compares one training step of a network on the CPU and on a GPU, from the same weights and
// images, layer by layer: outputs, loss, gradients, running statistics, updated weights.
//   compare_step [--device cuda:0] [--model resnet18] [--batch 8] [--size 224] [--tolerance 2e-3]
//                [--precision f32]   the GPU's; the CPU computes in f32
// Prints a table in Markdown; the last line says whether all is within the tolerance; exit code 1
// if not.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "hanok/engine/generator.h"
#include "hanok/engine/ops.h"
#include "hanok/engine/precision.h"
#include "hanok/engine/transaction.h"
#include "hanok/kernels/base/error.h"
#include "hanok/nn/models/registry.h"
#include "hanok/nn/optim.h"

namespace hanok {
namespace {

struct Options {
  std::string device = "cuda:0", model = "resnet18", precision = "f32";
  std::int64_t batch = 8, size = 224;
  double tolerance = 2e-3;
};

Device device_named(const std::string& name) {
  if (name == "cpu") return Device::cpu();
  if (name == "cuda") return Device::cuda(0);
  if (name.rfind("cuda:", 0) == 0) return Device::cuda(std::atoi(name.c_str() + 5));
  throw ValueError("compare_step: --device " + name + ": cuda or cuda:N is expected");
}

// The tensors of one step, by name and in the order of computation.
using Trace = std::vector<std::pair<std::string, std::vector<float>>>;

Trace trace_step(nn::Module& model, const Tensor& images, const Tensor& labels) {
  Trace trace;
  for (auto& [name, module] : model.named_modules()) {
    if (name.empty()) continue;
    module->register_forward_hook(
        [&trace, name = name](nn::Module&, const Tensor&, const Tensor& output) {
          trace.emplace_back("output of " + name, output.to_vector());
        });
  }
  std::vector<Tensor> parameters = model.parameters();
  const auto optimizer = nn::make_sgd({{"all", parameters}}, {.learning_rate = 0.1});
  StepTransaction transaction;
  optimizer->zero_grad();
  const Tensor logits = model(images);
  trace.emplace_back("logits", logits.to_vector());
  const Tensor loss = ops::cross_entropy(logits, labels);
  trace.emplace_back("loss", loss.to_vector());
  loss.backward();
  for (const auto& [name, parameter] : model.named_parameters()) {
    if (parameter.grad().defined()) {
      trace.emplace_back("gradient of " + name, parameter.grad().to_vector());
    }
  }
  optimizer->step();
  transaction.commit();
  for (const auto& [name, tensor] : model.state_dict()) {
    if (tensor.dtype() == DType::F32) {
      trace.emplace_back("after the step: " + name, tensor.to_vector());
    }
  }
  return trace;
}

// Largest difference over the reference's root mean square.
double relative_difference(const std::vector<float>& reference, const std::vector<float>& other) {
  if (reference.size() != other.size()) return INFINITY;
  double squares = 0, largest = 0;
  for (std::size_t i = 0; i < reference.size(); ++i) {
    squares += static_cast<double>(reference[i]) * reference[i];
    const double difference = std::abs(static_cast<double>(reference[i]) - other[i]);
    if (!(difference <= largest)) largest = difference;  // NaN too
  }
  const double rms =
      std::sqrt(squares / static_cast<double>(std::max<std::size_t>(1, reference.size())));
  return rms > 0 ? largest / rms : largest;
}

int compare(const Options& options) {
  const Device device = device_named(options.device);
  Generator::global().set_seed(1);
  const auto on_cpu = nn::make_model(options.model, 18, options.size);
  const auto on_gpu = on_cpu->clone();
  on_gpu->to(device);
  Generator generator(2);
  const Tensor images =
      random_normal({options.batch, 3, options.size, options.size}, 0, 1, generator);
  std::vector<std::int64_t> classes;
  for (std::int64_t i = 0; i < options.batch; ++i) classes.push_back(i % 18);
  const Tensor labels = Tensor::from_vector(classes, {options.batch});

  const Trace reference = trace_step(*on_cpu, images, labels);
  const Precision precision = precision_of(options.precision);
  check_precision(precision, device);
  const auto on_device = [&] {
    const PrecisionScope scope(precision);
    return trace_step(*on_gpu, images.to(device), labels.to(device));
  };
  const Trace other = on_device();
  if (reference.size() != other.size()) {
    std::printf("the CPU's step left %zu tensors, the GPU's %zu\n", reference.size(), other.size());
    return 1;
  }
  std::printf("| tensor | elements | largest difference / rms | |\n| --- | --- | --- | --- |\n");
  std::size_t beyond = 0;
  double worst = 0;
  for (std::size_t i = 0; i < reference.size(); ++i) {
    const auto& [name, values] = reference[i];
    const double difference =
        name == other[i].first ? relative_difference(values, other[i].second) : INFINITY;
    const bool good = difference <= options.tolerance;
    if (!good) ++beyond;
    worst = std::max(worst, difference);
    std::printf("| %s | %zu | %.1e | %s |\n", name.c_str(), values.size(), difference,
                good ? "" : "**beyond**");
  }
  std::printf("\n%zu tensors compared, the worst differs by %.1e (tolerance %.1e): %s\n",
              reference.size(), worst, options.tolerance,
              beyond == 0 ? "all within" : (std::to_string(beyond) + " beyond").c_str());
  return beyond == 0 ? 0 : 1;
}

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    const char* value = argv[i + 1];
    if (name == "--device") {
      options.device = value;
    } else if (name == "--model") {
      options.model = value;
    } else if (name == "--precision") {
      options.precision = value;
    } else if (name == "--batch") {
      options.batch = std::atoll(value);
    } else if (name == "--size") {
      options.size = std::atoll(value);
    } else if (name == "--tolerance") {
      options.tolerance = std::atof(value);
    } else {
      throw ValueError("compare_step: unknown option " + name);
    }
  }
  if (argc % 2 == 0) throw ValueError(std::string("compare_step: no value for ") + argv[argc - 1]);
  return options;
}

}  // namespace
}  // namespace hanok

int main(int argc, char** argv) {
  try {
    return hanok::compare(hanok::parse(argc, argv));
  } catch (const hanok::Error& error) {
    std::fprintf(stderr, "compare_step: %s\n", error.what());
    return 1;
  }
}
