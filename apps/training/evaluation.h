// Predictions of a network over a list of samples, pooled: never a mean over batches.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "hanok/apps/training/samples/batch_source.h"
#include "hanok/nn/metrics.h"
#include "hanok/nn/module.h"

#pragma GCC visibility push(default)
namespace hanok::training {

struct Evaluation {
  explicit Evaluation(std::int64_t class_count) : classes(class_count), confusion(class_count) {}

  std::int64_t classes;
  std::vector<std::int64_t> samples;    // indices into the data set, in order
  std::vector<std::int64_t> predicted;  // argmax; the first one on ties
  std::vector<float> logits;            // [samples, classes]
  std::vector<float> probabilities;     // [samples, classes]
  nn::ConfusionMatrix confusion;        // of the samples whose label is known
  double weight = 0;                    // of all labelled samples, by class
  double loss = 0;  // mean cross entropy over all labelled samples, weighted by class; NaN if they
                    // have no weight
};

/// Runs `model` in evaluation mode over `samples`, on what `batches` makes of them. `class_weights`
/// [C] may be undefined. `on_batch` gets the number of images of each batch. Empty if the user
/// interrupted.
std::optional<Evaluation> evaluate(nn::Module& model, BatchSource& batches,
                                   const std::vector<std::int64_t>& samples, std::int64_t classes,
                                   const Tensor& class_weights,
                                   const std::function<void(std::int64_t)>& on_batch = {});

}  // namespace hanok::training
#pragma GCC visibility pop
