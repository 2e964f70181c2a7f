#include "bench/bench_precision/measurements.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <map>
#include <optional>

#include "bench/bench_kernels/conv2d_layers.h"
#include "bench/bench_precision/backends.h"
#include "hanok/engine/autograd.h"
#include "hanok/engine/generator.h"
#include "hanok/engine/ops.h"
#include "hanok/engine/precision.h"
#include "hanok/kernels/base/error.h"

namespace hanok::bench {
namespace {

void report_notes(const training::LoadedModel& loaded, training::Reporter& reporter) {
  for (const std::string& note : loaded.notes) reporter.print("note: " + note + "\n");
}

/// A network and one batch of photographs to train it on.
struct TrainingStep {
  data::Dataset dataset;
  training::LoadedModel loaded;
  data::Batch batch;

  TrainingStep(const NetworkOptions& options, training::Reporter& reporter)
      : dataset(data::load_dataset(options.data)),
        loaded(network_to_train(options, static_cast<std::int64_t>(dataset.class_names.size()))) {
    report_notes(loaded, reporter);
    data::Loader loader(dataset, plain_loader(loaded.card, options));
    loader.start_epoch(0, spread(dataset, options.batch_size));
    if (!loader.next(batch)) throw ValueError(options.data + ": has no photographs");
  }
  void run() { ops::cross_entropy((*loaded.model)(batch.images), batch.labels).backward(); }
};

}  // namespace

std::vector<NamedErrors> measure_layers(const NetworkOptions& options,
                                        training::Reporter& reporter) {
  TrainingStep step(options, reporter);
  std::map<const void*, std::string> names;
  for (const auto& [name, module] : step.loaded.model->named_modules()) names.emplace(module, name);
  std::vector<NamedErrors> named;
  InFront<ConvolutionMeter> meter;
  step.run();
  for (const ConvolutionMeter::Measured& measured : meter->measured()) {
    named.push_back({.name = names[measured.layer], .errors = measured.errors});
  }
  return named;
}

GradientError measure_gradients(const NetworkOptions& options, training::Reporter& reporter) {
  const auto gradients = [&](Precision precision) {
    TrainingStep step(options, reporter);  // the same weights each time
    const PrecisionScope scope(precision);
    step.run();
    std::vector<float> all;
    for (const Tensor& parameter : step.loaded.model->parameters()) {
      const std::vector<float> values = parameter.grad().to_vector();
      all.insert(all.end(), values.begin(), values.end());
    }
    return all;
  };
  const std::vector<float> right = gradients(Precision::F32);
  return {.numbers = static_cast<std::int64_t>(right.size()),
          .error = error_of(gradients(Precision::Int16), {right.begin(), right.end()})};
}

// ---- drawn operands ----

namespace {

/// How the elements of an operand are drawn.
struct Distribution {
  const char* name;
  /// Element i of the operand, from two independent standard normal numbers.
  float (*element)(float x, float y);
};

// Heavy tails: the logarithm of the scale is normal too, so that the largest of a million elements
// is several hundred times their rms.
const Distribution kDistributions[] = {
    {"normal", [](float x, float) { return x; }},
    {"after ReLU", [](float x, float) { return std::max(x, 0.0F); }},
    {"mean 10", [](float x, float) { return x + 10; }},
    {"range 1e3", [](float x, float) { return 1e3F * x; }},
    {"heavy tails", [](float x, float y) { return x * std::exp(1.5F * y); }},
};

std::vector<float> drawn(std::int64_t count, const Distribution& distribution,
                         Generator& generator) {
  const std::vector<float> x = random_normal({count}, 0, 1, generator).to_vector();
  const std::vector<float> y = random_normal({count}, 0, 1, generator).to_vector();
  std::vector<float> out;
  for (std::size_t i = 0; i < x.size(); ++i) out.push_back(distribution.element(x[i], y[i]));
  return out;
}
}  // namespace

std::vector<NamedErrors> measure_synthetic(const SyntheticOptions& options) {
  std::vector<NamedErrors> named;
  Generator generator(1);
  for (const ConvLayer& layer : kResNet18) {
    const Conv2dShape shape = layer.shape(options.batch_size);
    if (std::max(shape.c, shape.k) > options.largest_channels) continue;
    const std::vector<float> w = drawn(shape.weight_shape().numel(), kDistributions[0], generator);
    for (const Distribution& distribution : kDistributions) {
      const auto x = drawn(shape.input_shape().numel(), distribution, generator);
      const auto dy = drawn(shape.output_shape().numel(), distribution, generator);
      for (const auto& [pass, pass_name] : kPasses) {
        const Conv2dFactors factors = {pass == Conv2dPass::BackwardData ? dy.data() : x.data(),
                                       pass == Conv2dPass::BackwardWeights ? dy.data() : w.data()};
        named.push_back(
            {.name = fmt::format("{}, {}", layer.name, distribution.name),
             .errors = measure_conv2d(backend_of(Device::cpu()), context_of(Device::cpu()), pass,
                                      shape, factors)});
      }
    }
  }
  return named;
}

// ---- logits ----

namespace {

/// Of the photographs in `order`, one row each.
struct Logits {
  std::vector<float> values;
  std::size_t rows = 0;

  std::int64_t best(std::size_t row) const {
    const std::size_t classes = values.size() / rows;
    const auto first = values.begin() + static_cast<std::ptrdiff_t>(row * classes);
    return std::max_element(first, first + static_cast<std::ptrdiff_t>(classes)) - first;
  }
};

class Evaluator {
 public:
  Evaluator(const NetworkOptions& options, training::Reporter& reporter)
      : dataset_(data::load_dataset(options.data)),
        loaded_(network_to_evaluate(options)),
        loader_(dataset_, plain_loader(loaded_.card, options)) {
    report_notes(loaded_, reporter);
    loaded_.model->eval();
  }

  const data::Dataset& dataset() const { return dataset_; }

  Logits logits(const std::vector<std::int64_t>& order, Precision precision) {
    const NoGrad no_grad;
    const PrecisionScope scope(precision);
    Logits logits{.values = {}, .rows = order.size()};
    loader_.start_epoch(0, order);
    for (data::Batch batch; loader_.next(batch);) {
      const std::vector<float> part = (*loaded_.model)(batch.images).to_vector();
      logits.values.insert(logits.values.end(), part.begin(), part.end());
    }
    return logits;
  }

  Logits exact_logits(const std::vector<std::int64_t>& order, OperandsAre operands) {
    const InFront<ExactConvolutions> exact(operands);
    return logits(order, Precision::F32);
  }

 private:
  data::Dataset dataset_;
  training::LoadedModel loaded_;
  data::Loader loader_;
};

LogitError compared(const std::string& name, const Logits& got, const Logits& right) {
  std::int64_t same = 0;
  for (std::size_t row = 0; row < right.rows; ++row) same += got.best(row) == right.best(row);
  return {.name = name,
          .images = static_cast<std::int64_t>(right.rows),
          .error = error_of(got.values, {right.values.begin(), right.values.end()}),
          .agreement = static_cast<double>(same) / static_cast<double>(right.rows)};
}

}  // namespace

std::vector<LogitError> measure_logits(const NetworkOptions& options, std::int64_t exact,
                                       training::Reporter& reporter) {
  Evaluator evaluator(options, reporter);
  const std::vector<std::int64_t> all = spread(evaluator.dataset(), 0);
  std::vector<LogitError> errors = {compared("int16 against f32",
                                             evaluator.logits(all, Precision::Int16),
                                             evaluator.logits(all, Precision::F32))};
  if (exact <= 0) return errors;
  const std::vector<std::int64_t> some = spread(evaluator.dataset(), exact);
  const Logits right = evaluator.exact_logits(some, OperandsAre::F32);
  errors.push_back(compared("f32 against double", evaluator.logits(some, Precision::F32), right));
  errors.push_back(
      compared("int16 against double", evaluator.logits(some, Precision::Int16), right));
  errors.push_back(compared("operands in bf16 against double",
                            evaluator.exact_logits(some, OperandsAre::Bf16), right));
  return errors;
}

}  // namespace hanok::bench
