// The results of a finished fold, and the summary over all folds.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "hanok/data/loader.h"
#include "hanok/nn/metrics.h"

#pragma GCC visibility push(default)
namespace hanok::training {

struct FoldResult {
  explicit FoldResult(std::int64_t classes) : confusion(classes) {}

  int fold = 0;
  std::int64_t best_epoch = 0;  // 1 is the first; 0: the monitored value was never a number
  std::int64_t epochs = 0, steps = 0;
  double val_loss = 0;            // NaN if no validation image has weight
  nn::ConfusionMatrix confusion;  // of the best weights, over the whole fold
  /// Of the same answers against corrected labels, dropped images left out: with --corrections.
  std::optional<nn::ConfusionMatrix> corrected;
  std::map<std::string, nn::ConfusionMatrix> subsets;  // by --report-subset's globs
  double majority_macro_f1 = 0;  // of always predicting the training images' most frequent class
  std::optional<double> shuffled_labels_macro_f1;  // with --baselines
  std::string weights_hash;                        // of the best weights, which are kept
  std::string last_weights_hash;                   // of the weights after the last step
  double seconds = 0, training_seconds = 0;
  std::int64_t images_trained = 0;
  std::int64_t peak_memory_bytes = 0;
  std::int64_t split_into = 0;  // parts of a batch, if memory was too short for --accumulate's
  std::int64_t recomputed_blocks =
      0;                   // of the network, if memory was too short for all activations
  std::string cuda_graph;  // what --cuda-graph did in this process; empty on the CPU
};

std::string to_json_text(const FoldResult& result);
/// Throws FormatError.
FoldResult fold_result_from_json(const std::string& path, const std::string& text);

/// summary.json: macro_f1 is the mean over folds; per-class figures, the confusion matrix and
/// "pooled" are over all validation images together. With more than kMostClassesInJson classes
/// (scores.h) it names the CSV files beside it instead. `bad` are the images left out.
std::string summary_json(const std::vector<FoldResult>& folds,
                         const std::vector<std::string>& class_names,
                         const std::vector<data::BadImage>& bad);

/// Per-fold and mean macro F1 with the baselines beside it: printable.
std::string final_table(const std::vector<FoldResult>& folds);
/// All folds' predictions in one matrix.
nn::ConfusionMatrix pooled(const std::vector<FoldResult>& folds);

/// Highest resident memory of this process so far, or since forget_peak_memory().
std::int64_t peak_memory_bytes();
/// Has no effect where the system does not let a process forget its peak.
void forget_peak_memory();

}  // namespace hanok::training
#pragma GCC visibility pop
