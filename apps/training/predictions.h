// What is computed from an evaluation's predictions: a table of predictions, scores of subsets, a
// baseline.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "hanok/apps/training/evaluation.h"
#include "hanok/data/dataset.h"
#include "hanok/nn/metrics.h"

#pragma GCC visibility push(default)
namespace hanok::training {

/// Matrices of the samples whose path or file name matches each glob.
std::map<std::string, nn::ConfusionMatrix> subset_confusions(const Evaluation& evaluation,
                                                             const data::Dataset& dataset,
                                                             const std::vector<std::string>& globs);

/// Against the labels after corrections (samples/corrections.h), without dropped samples.
nn::ConfusionMatrix corrected_confusion(const Evaluation& evaluation,
                                        const std::vector<std::int64_t>& corrected);

/// Macro F1 on `validation` of always predicting `training`'s most frequent class.
double majority_macro_f1(const data::Dataset& dataset, const std::vector<std::int64_t>& training,
                         const std::vector<std::int64_t>& validation);

/// A table with a header: path,label,prediction,probability,fold and one column a class. Without
/// `fold` there is no such column.
std::string predictions_csv(const Evaluation& evaluation, const data::Dataset& dataset,
                            std::optional<int> fold = {});

}  // namespace hanok::training
#pragma GCC visibility pop
