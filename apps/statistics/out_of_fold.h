// What a few columns say of a label, honestly: each row is predicted by a forest that saw neither
// it nor its group; chance and significance come from shuffled labels.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hanok/apps/statistics/bootstrap.h"
#include "hanok/apps/statistics/random_forest.h"

#pragma GCC visibility push(default)
namespace hanok::statistics {

/// What is to be predicted.
struct Target {
  std::vector<std::int64_t> labels{};  // 0..classes-1
  std::vector<std::string> groups{};
  std::int64_t classes = 0;
};

/// Rows to learn from and rows to predict.
struct FoldRows {
  std::vector<std::size_t> training{}, validation{};
};
/// The stratified folds of rows whose groups stay together; fewer folds where a class has fewer
/// groups, at least 2. Throws ValueError where there are no two groups.
std::vector<FoldRows> grouped_folds(const Target& target, int folds, std::uint64_t seed);

/// Answers for the rows that some fold validates on, in their order.
struct OutOfFold {
  std::vector<std::size_t> rows{};
  std::vector<std::int64_t> predicted{};
  std::vector<std::vector<double>> probabilities{};  // [rows][classes]
};
OutOfFold predict_out_of_fold(const Columns& columns, const Target& target,
                              const std::vector<FoldRows>& folds,
                              const ForestOptions& options = {});

/// The macro F1 that answers have by chance: of the confusion matrix that is expected if labels and
/// answers are independent but as frequent as they are. With a `stratum` of each row: independent
/// within each stratum, which is what the strata by themselves account for.
double chance_macro_f1(const Predictions& predictions,
                       const std::vector<std::string>& stratum = {});

/// Share of `draws` shuffled labels against which the same answers reach their macro F1; at least
/// 1 / (draws + 1). Labels change places within a group, and whole groups of one size with each
/// other, so that photographs of one person are not taken for independent ones.
double p_value_of_macro_f1(const Predictions& predictions, int draws, std::uint64_t seed);

/// The same for several lists of answers about the same samples, which share the shuffled labels:
/// much faster than one after the other. `on_draw` is called after each draw. Throws ValueError for
/// lists of different lengths and classes out of range.
std::vector<double> p_values_of_macro_f1(const Target& target,
                                         const std::vector<std::vector<std::int64_t>>& predicted,
                                         int draws, std::uint64_t seed, const OnDone& on_draw = {});

/// Holm's step-down correction of p-values for several tests (Holm 1979): comparable with a level
/// that all of them keep together.
std::vector<double> holm(const std::vector<double>& p_values);

}  // namespace hanok::statistics
#pragma GCC visibility pop
