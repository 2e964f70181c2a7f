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
  double low = 0, high = 0;  // NaN if only one fold can be compared
  std::int64_t folds = 0;    // compared; of unpaired runs the smaller number
  std::int64_t better = 0;   // folds in which b is better; paired only
  bool paired = false;
  /// True if the interval leaves 0 out.
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
/// As the records allow: paired over the folds that both have done, if these are the same. Without
/// a fold that both have, `folds` is 0.
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

/// Images that both runs answered, by who was right.
struct RightAnswers {
  std::int64_t both = 0, only_a = 0, only_b = 0, neither = 0;
};
RightAnswers right_answers(const RunRecord& a, const RunRecord& b);

}  // namespace hanok::run_report
#pragma GCC visibility pop
