// Labels within one group (a person) that cannot all be right.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "hanok/data/dataset.h"

#pragma GCC visibility push(default)
namespace hanok::data_report {

struct Contradiction {
  std::string group{};
  std::string what{};  // "is male in 4 photographs and female in 3"
  std::vector<std::size_t> samples{};
};

/// In the competition: a person of several sexes or age groups, or whose folder ("000123_female_
/// Asian_45") says another sex or age group than the table. Elsewhere: a group of several classes
/// where at least nine of ten groups of two and more photographs have one. In order of the groups'
/// names. Equal photographs of several classes are found by duplicate_sets().
std::vector<Contradiction> contradictions_within_groups(const data::Dataset& dataset);

}  // namespace hanok::data_report
#pragma GCC visibility pop
