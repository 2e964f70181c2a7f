// Splits samples into folds; without shuffling the folds equal scikit-learn's for the same input.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "hanok/data/dataset.h"

#pragma GCC visibility push(default)
namespace hanok::data {

/// Fold number (0..folds-1) of each sample: the fold in which it is used for validation.
using Folds = std::vector<int>;

/// scikit-learn's StratifiedKFold(n_splits=folds), shuffled if `shuffle_seed` is given. Like all
/// functions here it throws ValueError if the samples cannot be split as requested.
Folds stratified_k_fold(const std::vector<std::int64_t>& labels, int folds,
                        std::optional<std::uint64_t> shuffle_seed = {});
/// scikit-learn's StratifiedGroupKFold(n_splits=folds): a group is never split across folds.
Folds stratified_group_k_fold(const std::vector<std::int64_t>& labels,
                              const std::vector<std::string>& groups, int folds,
                              std::optional<std::uint64_t> shuffle_seed = {});
/// `repeats` shuffled k-folds with different seeds; groups stay together if `groups` is not empty.
std::vector<Folds> repeated_stratified_k_fold(const std::vector<std::int64_t>& labels,
                                              const std::vector<std::string>& groups, int folds,
                                              int repeats, std::uint64_t seed);
/// A single split: 0 for validation, 1 for training; about `fraction` of each class is validation.
/// Groups stay together if `groups` is not empty.
Folds stratified_hold_out(const std::vector<std::int64_t>& labels,
                          const std::vector<std::string>& groups, double fraction,
                          std::uint64_t seed);

/// Reads folds from a table with columns path and fold (others are ignored), as a run writes it. It
/// must contain every sample of `dataset` exactly once and nothing else; folds are numbered from 0
/// without gaps, at least two. Throws FormatError naming file and line; `warnings` reports groups
/// that span several folds.
Folds read_folds(const std::string& csv_path, const Dataset& dataset,
                 std::vector<std::string>& warnings);
/// The two halves of read_folds, for a data set from which unreadable images are yet to be taken:
/// the numbers, -1 for a sample that the table lacks; and the checks of a whole set of numbers.
Folds read_known_folds(const std::string& csv_path, const Dataset& dataset);
void check_folds(const std::string& csv_path, const Dataset& dataset, const Folds& folds,
                 std::vector<std::string>& warnings);

/// Members per class (rows) and fold (columns): printable; of many classes the smallest alone.
std::string fold_table(const Folds& folds, int fold_count, const std::vector<std::int64_t>& labels,
                       const std::vector<std::string>& class_names);
/// "class X has 3 members but there are 5 folds", one line each; of many ten, and their number.
std::vector<std::string> fold_warnings(const std::vector<std::int64_t>& labels,
                                       const std::vector<std::string>& class_names, int folds);

}  // namespace hanok::data
#pragma GCC visibility pop
