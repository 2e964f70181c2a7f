// What duplicates mean for training: contradictions, leaks, and the groups that prevent them.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "hanok/apps/data_report/near_duplicates.h"
#include "hanok/data/dataset.h"

#pragma GCC visibility push(default)
namespace hanok::data_report {

/// Photographs that show the same, directly or by way of others of the set.
struct DuplicateSet {
  std::vector<std::size_t> samples{};  // in order
  bool equal_files = false;            // all have the same bytes
  bool across_classes = false;         // a contradiction: at most one label is right
  bool across_groups = false;          // a leak: folds may separate them
  bool across_split = false;           // a leak: one is in train/ and one in val/
};

/// Equal files together with near duplicates, as connected sets; those across classes first, then
/// those across splits and groups, then equal files, then by their first photograph.
std::vector<DuplicateSet> duplicate_sets(const data::Dataset& dataset,
                                         const std::vector<ImageFacts>& facts,
                                         const std::vector<NearPair>& near);

/// A group for each sample: the union of the data's own groups and of duplicates. It is named after
/// its first own group in byte order.
std::vector<std::string> proposed_groups(const data::Dataset& dataset,
                                         const std::vector<DuplicateSet>& duplicates);

/// A table with the columns path and group, which --group takes.
std::string groups_to_csv(const data::Dataset& dataset, const std::vector<std::string>& groups);

}  // namespace hanok::data_report
#pragma GCC visibility pop
