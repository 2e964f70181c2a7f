// Corrections of labels: what somebody decided about suspected ones (the page of `labels` saves
// them). They change what is trained on; scores are reported against both the given and the
// corrected labels.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hanok/data/dataset.h"
#include "hanok/data/loader.h"

#pragma GCC visibility push(default)
namespace hanok::training {

/// The label that marks a dropped sample among corrected ones.
constexpr std::int64_t kDropped = -1;

/// Reads a table path,label,action,new_label: the action is keep, relabel or drop; `label` is the
/// class as it was when the decision was made, `new_label` that of relabel. Returns the label of
/// each sample of `dataset` after the corrections, kDropped where it is dropped. Throws FormatError
/// naming file and line for paths and classes that the data set lacks, a `label` that the sample no
/// longer has, other actions, and two rows of one path. Rows of `bad` images are passed over.
std::vector<std::int64_t> read_corrections(const std::string& csv_path,
                                           const data::Dataset& dataset,
                                           const std::vector<data::BadImage>& bad = {});

/// "corrections: 12 labels changed, 3 photographs dropped (CSV)"
std::string describe_corrections(const std::vector<std::int64_t>& corrected,
                                 const data::Dataset& dataset);

}  // namespace hanok::training
#pragma GCC visibility pop
