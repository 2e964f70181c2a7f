// Train against test: can a classifier tell the photographs of one data set from another's? If it
// can, a validation score from the one says little of the other ("adversarial validation").
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hanok/apps/cli/reporter.h"
#include "hanok/apps/data_report/image_facts.h"
#include "hanok/apps/data_report/near_duplicates.h"
#include "hanok/apps/pages/page.h"
#include "hanok/apps/statistics/bootstrap.h"
#include "hanok/data/dataset.h"

#pragma GCC visibility push(default)
namespace hanok::data_report {

/// Photographs with their facts: of a data set, or of a list without labels.
struct Photographs {
  const data::Dataset& dataset;
  const std::vector<ImageFacts>& facts;
};

struct AgainstOptions {
  int folds = 5;
  std::uint64_t seed = 0;
  training::Reporter* reporter = nullptr;  // gets the progress; may be null
};

/// How far one fact alone tells the two apart.
struct FactDifference {
  std::string fact{};
  double auc = 0.5;  // that a photograph of the test has the higher value; 0.5: no difference
  double mean_train = 0, mean_test = 0;
};

struct AgainstReport {
  std::int64_t train = 0, test = 0;     // photographs that can be decoded
  double auc = 0;                       // out of fold, groups kept together; NaN: not measured
  statistics::Interval interval{};      // 95%, by drawing groups
  std::vector<FactDifference> facts{};  // the most different first
  std::vector<NearPair> duplicates{};   // a photograph of train and one of test
  std::vector<std::string> train_names{}, test_names{};  // of all photographs
  std::vector<std::string> shared_groups{};              // persons on both sides
  std::string verdict{};                                 // one sentence
};

/// Groups of one name on both sides are one person only if neither side's are single files.
/// Photographs that cannot be decoded are left out.
AgainstReport train_against_test(const Photographs& train, const Photographs& test,
                                 const AgainstOptions& options = {});

/// The images of a folder (or list) without labels, or the samples of a data set: what --against
/// names. Throws IoError or ValueError where there is nothing.
data::Dataset load_other_side(const std::string& path);

/// The section "Train against test" of a page.
std::vector<pages::Block> against_blocks(const AgainstReport& report);

}  // namespace hanok::data_report
#pragma GCC visibility pop
