// The sections of a run's page, each a function of the run's record that returns blocks. A section
// without anything to show returns none.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "hanok/apps/pages/page.h"
#include "hanok/apps/run_report/fit_verdict.h"
#include "hanok/apps/run_report/run_record.h"

#pragma GCC visibility push(default)
namespace hanok::run_report {

using Blocks = std::vector<pages::Block>;
void append(Blocks& blocks, Blocks more);
/// Of score_intervals(run).
using Intervals = std::optional<statistics::ScoreIntervals>;

/// Curves of more folds than this are drawn as their mean and range alone.
constexpr std::size_t kMostFoldsDrawn = 10;

/// The epoch (1 is the first) from which more of the network is trained, and what that is.
struct Unfreezing {
  std::int64_t epoch = 1;
  std::string what;
};

// ---- score_sections.cpp ----

/// The score in one sentence with its interval and the majority baseline, what else there is to
/// know at once, and `fit`.
Blocks result_section(const RunRecord& run, const Intervals& intervals, const FitVerdict& fit);
/// Heat map, or with many classes the worst pairs alone.
Blocks confusion_section(const RunRecord& run);
/// Precision, recall and F1 of each class with intervals; F1 of each class in each fold.
Blocks class_section(const RunRecord& run, const Intervals& intervals);
/// Reliability diagram and expected calibration error.
Blocks calibration_section(const RunRecord& run);

// ---- curve_sections.cpp ----

/// The verdict of the rules over the folds that are done or, if there is none, in training.
FitVerdict fit_of(const RunRecord& run);
/// Loss, validation loss, macro F1 and learning rate by epoch, with marks.
Blocks curve_section(const RunRecord& run, const std::vector<Unfreezing>& unfreezings);
/// Mean over folds by epoch, with the range as a band. It ends with the fold that stopped first:
/// means of fewer folds would look like a step.
pages::Series mean_series(const RunRecord& run, double training::EpochMetrics::*value,
                          const std::string& name);
/// Where trainable_parameters changed, from the epochs alone.
std::vector<Unfreezing> unfreezings_in_epochs(const RunRecord& run);

// ---- recipe_sections.cpp ----

/// The parts of the network that the run's options unfreeze later, by name. Builds the network.
std::vector<Unfreezing> unfreezings_by_name(const RunRecord& run);
/// Which part of the network learned from which epoch on. Builds the network.
Blocks freezing_section(const RunRecord& run);
/// Options that differ from their defaults.
Blocks settings_section(const RunRecord& run);
/// Time, memory, hashes and versions.
Blocks cost_section(const RunRecord& run);

// ---- photograph_sections.cpp ----

/// What is drawn beside a photograph: where the network looked.
struct Overlay {
  data::Image picture;
  std::optional<double> outside_face{};  // share of the heat outside the face's box
};
/// By number of RunRecord::predictions.
using Overlays = std::map<std::size_t, Overlay>;

/// The photographs that a page shows, as numbers of RunRecord::predictions; no path twice in a
/// list.
struct ChosenPhotographs {
  std::vector<std::size_t> confidently_wrong{};  // by the answer's probability, highest first
  std::vector<std::size_t> least_certain{};      // by the two highest probabilities' difference
  struct Pair {
    std::int64_t truth = 0, answer = 0, images = 0;
    double share = 0;
    std::vector<std::size_t> photographs{};
  };
  std::vector<Pair> pairs{};  // most confused first
};
struct PhotographCounts {
  std::size_t wrong = 12, uncertain = 12, pairs = 4, of_pair = 4;
};
ChosenPhotographs choose_photographs(const RunRecord& run, const PhotographCounts& counts = {});

/// Every number in it, in order, none twice.
std::vector<std::size_t> numbers_of(const ChosenPhotographs& chosen);

/// Galleries of chosen photographs, each with its overlay if it has one; without the images a note
/// that says where they were expected.
Blocks photograph_section(const RunRecord& run, const Overlays& overlays);

}  // namespace hanok::run_report
#pragma GCC visibility pop
