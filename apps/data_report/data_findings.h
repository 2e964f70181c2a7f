// Everything that is found in a data set without a network: what the page and the terminal show.
#pragma once

#include <string>
#include <vector>

#include "hanok/apps/data_report/class_tables.h"
#include "hanok/apps/data_report/contradictions.h"
#include "hanok/apps/data_report/duplicate_sets.h"
#include "hanok/apps/data_report/image_facts.h"
#include "hanok/apps/data_report/odd_photographs.h"
#include "hanok/data/dataset.h"

#pragma GCC visibility push(default)
namespace hanok::data_report {

struct DataFindings {
  std::vector<ClassCount> counts{};
  std::vector<DuplicateSet> duplicates{};
  std::vector<std::string> proposed_groups{};  // one a sample
  std::vector<Contradiction> contradictions{};
  OddityLimits limits{};
  std::vector<OddPhotograph> odd{};
  std::vector<std::size_t> unreadable{};
};

/// `more_pairs` are joined with the near duplicates that the perceptual hash finds.
DataFindings find_all(const data::Dataset& dataset, const std::vector<ImageFacts>& facts,
                      const std::vector<NearPair>& more_pairs = {});

}  // namespace hanok::data_report
#pragma GCC visibility pop
