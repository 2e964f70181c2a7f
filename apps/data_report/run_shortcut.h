// A shortcut beside a run's score: what finetune says at its end where a fact of the files alone,
// on the same folds, reaches half of what the network reached.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "hanok/apps/statistics/out_of_fold.h"
#include "hanok/data/dataset.h"

#pragma GCC visibility push(default)
namespace hanok::data_report {

struct RunShortcut {
  std::string fact{};   // "the files' sizes in bytes"
  double macro_f1 = 0;  // mean over the folds
};

/// The best of three facts that need no decoded pixel (size in bytes, width and height, format and
/// JPEG tables), if it is significantly above chance and reaches half of `macro_f1`. Of more than
/// 5,000 samples a fold, evenly spaced ones are measured. Empty also where a file cannot be read.
std::optional<RunShortcut> shortcut_of_run(const data::Dataset& dataset,
                                           const std::vector<statistics::FoldRows>& folds,
                                           double macro_f1);

}  // namespace hanok::data_report
#pragma GCC visibility pop
