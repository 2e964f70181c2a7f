// Corrections of labels: what somebody decided about suspected ones (the page of `labels` saves
// them). They change what is trained on; scores are reported against both the given and the
// corrected labels.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "hanok/data/dataset.h"
#include "hanok/data/loader.h"

#pragma GCC visibility push(default)
namespace hanok::training {

/// The label that marks a dropped sample among corrected ones.
constexpr std::int64_t kDropped = -1;

/// What somebody decided about one sample.
struct Decision {
  enum class Action { Keep, Relabel, Drop };
  std::size_t sample = 0;  // its number in the data set
  Action action = Action::Keep;
  std::int64_t new_label = 0;  // of Relabel
};

/// Reads a table path,label,action,new_label: the action is keep, relabel or drop; `label` is the
/// class as it was when the decision was made, `new_label` that of relabel. Paths are found as
/// data::samples_of_rows finds them. Throws FormatError naming file and line for paths and classes
/// that the data set lacks, a `label` that the sample no longer has, other actions, a relabel
/// without its class, and two rows of one path. Rows of `bad` images are passed over.
std::vector<Decision> read_decisions(const std::string& csv_path, const data::Dataset& dataset,
                                     const std::vector<data::BadImage>& bad = {});

/// The label of each sample of `dataset` after the decisions in that table, kDropped where it is
/// dropped. Throws as read_decisions().
std::vector<std::int64_t> read_corrections(const std::string& csv_path,
                                           const data::Dataset& dataset,
                                           const std::vector<data::BadImage>& bad = {});

/// "corrections: 12 labels changed, 3 photographs dropped (CSV)"
std::string describe_corrections(const std::vector<std::int64_t>& corrected,
                                 const data::Dataset& dataset);

}  // namespace hanok::training
#pragma GCC visibility pop
