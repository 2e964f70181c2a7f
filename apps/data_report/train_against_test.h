// Do two sets of photographs look alike? A validation score foretells that of test photographs only
// where they do.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hanok/apps/data_report/image_facts.h"
#include "hanok/apps/data_report/near_duplicates.h"
#include "hanok/apps/pages/page.h"
#include "hanok/apps/statistics/bootstrap.h"
#include "hanok/data/dataset.h"

#pragma GCC visibility push(default)
namespace hanok::data_report {

/// One set of photographs with its facts, in the order of the samples. Labels are not used.
struct MeasuredSet {
  const data::Dataset& dataset;
  const std::vector<ImageFacts>& facts;
};

/// How far one fact alone tells the sets apart.
struct FactDifference {
  std::string fact{};
  double auc = 0.5;  // at least 0.5: the probability that it tells a photograph of each apart
  double first_median = 0, second_median = 0;
};

struct SetComparison {
  std::int64_t first = 0, second = 0;  // photographs that can be decoded
  double auc = 0.5;                    // out of fold, of a random forest on all facts
  statistics::Interval interval{};
  std::vector<FactDifference> facts{};       // the most different first
  std::vector<NearPair> near_duplicates{};   // numbers of samples in the first and second set
  std::vector<std::string> shared_groups{};  // persons on both sides, by their names
};

struct SetComparisonOptions {
  int folds = 5;
  std::uint64_t seed = 0;
};

/// Groups are compared by name only where both sets have groups. Throws ValueError where a set has
/// fewer than two photographs that can be decoded.
SetComparison compare_sets(const MeasuredSet& first, const MeasuredSet& second,
                           const SetComparisonOptions& options = {});

/// "The two look alike: ..." or "The two differ: ...", with the AUC and its interval.
std::string verdict(const SetComparison& comparison);

/// The section "Against another set" of a page. Pictures of near duplicates are read from the
/// files.
std::vector<pages::Block> against_blocks(const SetComparison& comparison, const MeasuredSet& first,
                                         const MeasuredSet& second);

}  // namespace hanok::data_report
#pragma GCC visibility pop
