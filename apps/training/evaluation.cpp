#include "hanok/apps/training/evaluation.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

#include "hanok/apps/run/ranks.h"
#include "hanok/engine/autograd.h"
#include "hanok/engine/ops.h"
#include "hanok/engine/runtime.h"

namespace hanok::training {
namespace {

void append(std::vector<float>& all, const Tensor& batch) {
  const std::vector<float> values = batch.to_vector();
  all.insert(all.end(), values.begin(), values.end());
}

/// Sum of the batch's weighted losses and of its weights, in double and in order.
struct LossSum {
  double loss = 0;
  double weight = 0;
  void add(const Tensor& logits, const Tensor& labels, const Tensor& class_weights) {
    ops::CrossEntropyOptions options;
    options.class_weights = class_weights;
    options.reduction = ops::Reduction::None;
    options.ignore_index = -1;  // an image whose label is unknown
    const Tensor targets = labels.to(logits.device());
    const std::vector<float> losses = ops::cross_entropy(logits, targets, options).to_vector();
    const std::vector<std::int64_t> truth = labels.to_int_vector();
    const std::vector<float> weights =
        class_weights.defined() ? class_weights.to_vector() : std::vector<float>();
    for (std::size_t i = 0; i < truth.size(); ++i) {
      if (truth[i] < 0) continue;
      loss += losses[i];
      weight += weights.empty() ? 1.0 : weights[static_cast<std::size_t>(truth[i])];
    }
  }
};

/// Of a rank's share, which may be empty.
Tensor logits_of(const std::function<Tensor(const Tensor&)>& forward, const Tensor& images,
                 std::int64_t classes, std::int64_t& parts, Reporter& reporter) {
  if (images.size(0) == 0) return Tensor::empty({0, classes}, {DType::F32, images.device()});
  return forward_in_parts(forward, images, parts, reporter);
}

/// The logits of the batch's `images`: those of rank 0 first.
Tensor gather_over_ranks(const Tensor& logits, std::int64_t images, std::int64_t classes) {
  if (!has_other_ranks()) return logits;
  const std::vector<float> own = logits.to_vector();
  const std::string bytes(reinterpret_cast<const char*>(own.data()), own.size() * sizeof(float));
  std::string all;
  for (const std::string& of_rank : all_gather(ranks(), bytes)) all += of_rank;
  std::vector<float> values(all.size() / sizeof(float));
  std::memcpy(values.data(), all.data(), all.size());
  return Tensor::from_vector(values, {images, classes}).to(logits.device());
}

}  // namespace

std::optional<Evaluation> evaluate(nn::Module& model, BatchSource& batches,
                                   const std::vector<std::int64_t>& samples, std::int64_t classes,
                                   const Tensor& class_weights,
                                   const std::function<void(std::int64_t)>& on_batch) {
  const NoGrad no_grad;
  const NominalBatch nominal_batch(batches.batch_size());
  model.eval();
  Evaluation evaluation(classes);
  LossSum sum;
  const auto forward = [&batches](const Tensor& images) { return batches.forward(images); };
  std::int64_t parts = 1;
  batches.start_epoch(0, samples);
  data::Batch batch;
  while (next_batch(batches, batch)) {
    if (interrupted_on_any_rank()) return {};
    const Tensor logits =
        gather_over_ranks(logits_of(forward, batch.images, classes, parts, batches.reporter()),
                          batch.labels.numel(), classes);
    append(evaluation.logits, logits);
    append(evaluation.probabilities, ops::softmax(logits, 1));
    const std::vector<std::int64_t> predicted = ops::argmax(logits, 1).to_int_vector();
    const std::vector<std::int64_t> truth = batch.labels.to_int_vector();
    for (std::size_t i = 0; i < truth.size(); ++i) {
      if (truth[i] >= 0) evaluation.confusion.add(truth[i], predicted[i]);
    }
    const bool labelled =
        std::any_of(truth.begin(), truth.end(), [](std::int64_t label) { return label >= 0; });
    if (labelled) sum.add(logits, batch.labels, class_weights);
    evaluation.samples.insert(evaluation.samples.end(), batch.samples.begin(), batch.samples.end());
    evaluation.predicted.insert(evaluation.predicted.end(), predicted.begin(), predicted.end());
    if (on_batch) on_batch(static_cast<std::int64_t>(truth.size()));
  }
  evaluation.weight = sum.weight;
  const double loss = sum.loss / sum.weight;
  // Without a sign: "-nan" would be printed.
  evaluation.loss = sum.weight > 0 && !std::isnan(loss) ? loss : std::nan("");
  return evaluation;
}

}  // namespace hanok::training
