// What finetune prints about folds, the network and the results.
#pragma once

#include <string>
#include <vector>

#include "hanok/apps/cli/reporter.h"
#include "hanok/apps/options/options.h"
#include "hanok/apps/run/fold_result.h"
#include "hanok/apps/run/run_folder.h"
#include "hanok/apps/training/samples/experiment_data.h"
#include "hanok/apps/training/trainer.h"

#pragma GCC visibility push(default)
namespace hanok::training {

/// Members of each class in training and validation: printable. With a --sampler that repeats or
/// leaves out images also what it does with each class.
std::string fold_classes(const Options& options, const ExperimentData& data, int fold);

/// Reports what is trained: start, network, freezing, learning rates of single groups.
void report_network(const Options& options, Trainer& trainer, Reporter& reporter);

/// A run in progress: what all of its folds share.
struct Run {
  const Options& options;
  const ExperimentData& data;
  const RunFolder& folder;
  Reporter& reporter;
};

/// Writes the run's predictions.csv and summary.json, and reports the scores of all folds.
void report_results(const Run& run, const std::vector<FoldResult>& results);

/// Reports what the files alone say of the classes, and writes the run's page: reads photographs.
void report_findings(const Run& run, const std::vector<FoldResult>& results);

}  // namespace hanok::training
#pragma GCC visibility pop
