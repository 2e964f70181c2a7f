// From what shards or a table say of samples to their classes and groups. Private to this room.
#pragma once

#include <string>
#include <vector>

#include "hanok/data/dataset.h"

namespace hanok::data {

struct ShardLabel {
  std::string label{}, group{};  // empty: not stated
};

/// Gives each sample of `dataset` the class and group of its entry, and the data set its classes:
/// those of classes.txt, where there is one (a label is one of its names, or the number of a line
/// from 0 on), else the labels that occur. Throws FormatError naming a sample without a label or
/// with one that is no class; ValueError for fewer than two classes.
void label_samples(Dataset& dataset, const std::vector<ShardLabel>& labels);

/// The same with labels and groups of a table; samples that it lacks are counted as skipped. Throws
/// FormatError naming file and line for rows that name no sample, several, or one twice.
void label_samples_by_table(Dataset& dataset, std::vector<ShardLabel> labels,
                            const std::string& csv_path, const DatasetOptions& options);

}  // namespace hanok::data
