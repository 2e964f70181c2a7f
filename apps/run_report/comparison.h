// Whether one run is better than another: differences of macro F1 over folds, and what they may be
// compared on. Pure functions of the records.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hanok/apps/run_report/run_record.h"

#pragma GCC visibility push(default)
namespace hanok::run_report {

/// What two runs have in common: what comes first allows the strictest comparison.
enum class Basis {
  SameFolds,   // the same images and labels in the same folds: differences are paired by fold
  SameImages,  // other folds: a difference also contains the luck of the split
  OtherData    // other images, labels or classes: scores say nothing about each other
};
Basis basis_of(const RunRecord& a, const RunRecord& b);
/// A sentence that names what differs; empty for SameFolds.
std::string describe_basis(const RunRecord& a, const RunRecord& b);

/// b's score minus a's, with the 95% interval that the spread over folds leaves.
struct ScoreDifference {
  double mean = 0;
  double low = 0, high = 0;
  bool of_images = false;   // the interval is of one fold's images: folds are too few to differ
  std::int64_t folds = 0;   // compared; of unpaired runs the smaller number
  std::int64_t better = 0;  // folds in which b is better; paired only
  bool paired = false;
  /// True if the interval leaves 0 out; an interval that is NaN never does.
  bool beyond_spread() const { return low > 0 || high < 0; }
};

/// Differences of the folds, in the same order. Training sets of folds overlap, so the variance of
/// their mean is (1/K + tested/trained) of the variance of one: the corrected resampled t-test
/// (Nadeau and Bengio 2003). `tested_over_trained` is 1/(K-1) for K folds. Throws ValueError for
/// other lengths or none.
ScoreDifference paired_difference(const std::vector<double>& a, const std::vector<double>& b,
                                  double tested_over_trained);
/// Of folds that are not the same: variances of both runs add up.
ScoreDifference unpaired_difference(const std::vector<double>& a, const std::vector<double>& b,
                                    double tested_over_trained);
/// As the records allow: paired over the folds that both have done, if these are the same; of one
/// fold the interval is that of its resampled images. Without a fold that both have, `folds` is 0.
ScoreDifference difference(const RunRecord& a, const RunRecord& b);

/// The 97.5% quantile of Student's t, for an interval of 95%; `freedom` >= 1.
double t_quantile(std::int64_t freedom);

/// Runs that differ in --seed alone, by index into the list; lists of one are left out.
std::vector<std::vector<std::size_t>> seeds_of_one_recipe(const std::vector<RunRecord>& runs);
/// Standard deviation of macro F1 over the runs of one recipe (n - 1), pooled over recipes; NaN if
/// no recipe has several seeds.
double seed_deviation(const std::vector<RunRecord>& runs);

/// One honest sentence: which is better by how much, and whether that exceeds the spread of folds
/// and of seeds (`seed_deviation`, or NaN where unknown).
std::string verdict(const RunRecord& a, const RunRecord& b, double seed_deviation);

/// Options whose values differ between the runs, as --help orders them; those that do not change
/// the result are left out.
struct DifferingOption {
  std::string name;
  std::vector<std::string> values{};  // one a run
};
std::vector<DifferingOption> differing_options(const std::vector<RunRecord>& runs);

/// An image that both runs answered; of repeats once for each.
struct AnswersOfBoth {
  std::string group{};
  std::int64_t label = 0, a = 0, b = 0;
};
std::vector<AnswersOfBoth> answers_of_both(const RunRecord& a, const RunRecord& b);

/// 95% intervals of b's scores minus a's, images resampled by group for both runs alike: of macro
/// F1 first, then of each class's F1.
std::vector<statistics::Interval> difference_intervals(const std::vector<AnswersOfBoth>& answers,
                                                       std::int64_t classes);

/// Images that both runs answered, by who was right.
struct RightAnswers {
  std::int64_t both = 0, only_a = 0, only_b = 0, neither = 0;
};
RightAnswers right_answers(const std::vector<AnswersOfBoth>& answers);

}  // namespace hanok::run_report
#pragma GCC visibility pop
