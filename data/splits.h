// Ways to split samples into folds, equal to scikit-learn's for the same input where nothing is
// shuffled.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "hanok/data/dataset.h"

namespace hanok::data {

/// Fold number (0..folds-1) of each sample; that fold is where it is used for validation.
using Folds = std::vector<int>;

/// scikit-learn's StratifiedKFold(n_splits=folds), without shuffling if `shuffle_seed` is absent.
Folds stratified_k_fold(const std::vector<std::int64_t>& labels, int folds,
                        std::optional<std::uint64_t> shuffle_seed = {});
/// scikit-learn's StratifiedGroupKFold(n_splits=folds): a group never crosses folds.
Folds stratified_group_k_fold(const std::vector<std::int64_t>& labels,
                              const std::vector<std::string>& groups, int folds,
                              std::optional<std::uint64_t> shuffle_seed = {});
/// `repeats` shuffled k-folds, each from a seed of its own; by whole groups if `groups` is not
/// empty.
std::vector<Folds> repeated_stratified_k_fold(const std::vector<std::int64_t>& labels,
                                              const std::vector<std::string>& groups, int folds,
                                              int repeats, std::uint64_t seed);
/// One split: 0 for validation, 1 for training; about `fraction` of each class (by whole groups if
/// `groups` is not empty) is validation.
Folds stratified_hold_out(const std::vector<std::int64_t>& labels,
                          const std::vector<std::string>& groups, double fraction,
                          std::uint64_t seed);

/// Folds from a table with columns path and fold (others are passed over), as a run writes it.
/// Every sample of `dataset` must be in it once, and nothing else; folds count from 0 without a
/// gap, at least two. Throws FormatError naming file and line; `warnings` tells of groups that are
/// cut.
Folds read_folds(const std::string& csv_path, const Dataset& dataset,
                 std::vector<std::string>& warnings);

/// Members per class (rows) and fold (columns), as a printable table.
std::string fold_table(const Folds& folds, int fold_count, const std::vector<std::int64_t>& labels,
                       const std::vector<std::string>& class_names);
/// "class X has 3 members but there are 5 folds", one line each.
std::vector<std::string> fold_warnings(const std::vector<std::int64_t>& labels,
                                       const std::vector<std::string>& class_names, int folds);

}  // namespace hanok::data
