#include "hanok/apps/data_report/data_findings.h"

namespace hanok::data_report {

DataFindings find_all(const data::Dataset& dataset, const std::vector<ImageFacts>& facts,
                      const std::vector<NearPair>& more_pairs) {
  DataFindings findings;
  findings.counts = class_counts(dataset);
  std::vector<NearPair> pairs = near_duplicates(facts);
  pairs.insert(pairs.end(), more_pairs.begin(), more_pairs.end());
  findings.duplicates = duplicate_sets(dataset, facts, pairs);
  findings.proposed_groups = proposed_groups(dataset, findings.duplicates);
  findings.contradictions = contradictions_within_groups(dataset);
  findings.limits = oddity_limits(facts);
  findings.odd = odd_photographs(facts, findings.limits);
  for (std::size_t i = 0; i < facts.size(); ++i) {
    if (!facts[i].problem.empty()) findings.unreadable.push_back(i);
  }
  return findings;
}

}  // namespace hanok::data_report
