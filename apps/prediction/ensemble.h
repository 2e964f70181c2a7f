// Several networks that predict together: their probabilities are averaged.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "hanok/apps/options/reading_options.h"
#include "hanok/apps/profiling/profile.h"
#include "hanok/apps/run/checkpoint.h"
#include "hanok/apps/training/evaluation.h"
#include "hanok/data/dataset.h"
#include "hanok/data/loader.h"

#pragma GCC visibility push(default)
namespace hanok::training {

/// The best checkpoints of a run's folds, in the order of their numbers. Throws UsageError if
/// `run` is no folder or holds none.
std::vector<std::string> checkpoints_of_run(const std::string& run);

/// Throws FormatError unless all have the same network, classes and preprocessing.
std::vector<LoadedModel> load_checkpoints(const std::vector<std::string>& paths);

/// The networks of several runs. Those of one run agree as above; other runs may have other
/// networks and preprocessing, but throw FormatError for other classes.
std::vector<LoadedModel> load_runs(const std::vector<std::string>& runs);

/// The predictions of several groups of networks, weighted by shares that add up to 1:
/// probabilities and logits are weighted means, `predicted` is theirs (the first class on ties).
Evaluation weighted_mean(const std::vector<Evaluation>& parts, const std::vector<float>& shares);

/// The loader for `models`, which share their preprocessing and their device.
data::LoaderOptions answering_loader(const std::vector<LoadedModel>& models,
                                     const ReadingOptions& options);

/// Callbacks during an evaluation.
struct EvaluationListeners {
  Reporter& reporter;
  std::function<void(std::int64_t)> on_batch = {};  // gets the images of each network's batch
  StepProfile* profile = nullptr;                   // sees batches as steps; may be null
};

/// Every network's predictions for `samples` of `dataset`, which `loader` reads, averaged in order:
/// logits, probabilities, and the loss as the mean of the networks' losses. `predicted` and the
/// confusion matrix are those of the averaged probabilities (the first class on ties). Empty if the
/// user interrupted. Throws ValueError for answers that are not numbers, and for images that are
/// not cropped as the networks expect it (TrainedCrops).
std::optional<Evaluation> evaluate_together(std::vector<LoadedModel>& models, data::Loader& loader,
                                            const data::Dataset& dataset,
                                            const std::vector<std::int64_t>& samples,
                                            const EvaluationListeners& listeners);

}  // namespace hanok::training
#pragma GCC visibility pop
