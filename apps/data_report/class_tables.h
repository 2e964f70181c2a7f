// How many photographs each class has, and how their facts are distributed in it.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "hanok/apps/data_report/image_facts.h"
#include "hanok/data/dataset.h"

#pragma GCC visibility push(default)
namespace hanok::data_report {

struct ClassCount {
  std::string name{};
  std::int64_t images = 0;
  std::int64_t groups = 0;
  double share = 0;  // of all photographs
};
/// One a class, in the data set's order.
std::vector<ClassCount> class_counts(const data::Dataset& dataset);
/// Images of the largest class by those of the smallest that has any; 0 without images.
double imbalance(const std::vector<ClassCount>& counts);

/// The competition's photographs by mask (worn, incorrect, not worn), sex (male, female) and age
/// (<30, 30-59, >=60).
using JointTable = std::array<std::array<std::array<std::int64_t, 3>, 2>, 3>;
JointTable competition_table(const data::Dataset& dataset);

/// Groups with the same photographs of each class, and how many such groups there are, most first:
/// {"5 x mask, 1 x none", 6}.
std::vector<std::pair<std::string, std::int64_t>> group_patterns(const data::Dataset& dataset);

/// One fact of every readable photograph of a class.
struct Distribution {
  std::string class_name{};
  std::vector<double> values{};
};
/// One a class that has readable photographs.
std::vector<Distribution> distributions(const data::Dataset& dataset,
                                        const std::vector<ImageFacts>& facts,
                                        double (*fact)(const ImageFacts&));

/// At most `most` photographs of a class, spread over its groups: one of each before a second of
/// any, groups and photographs in an order that follows from their names alone. Unreadable ones are
/// left out.
std::vector<std::size_t> contact_sheet(const data::Dataset& dataset,
                                       const std::vector<ImageFacts>& facts, std::int64_t label,
                                       std::size_t most);

/// The mean of the 32x32 images of `samples`; without pixels if none is readable.
data::Image mean_photograph(const std::vector<ImageFacts>& facts,
                            const std::vector<std::size_t>& samples);

}  // namespace hanok::data_report
#pragma GCC visibility pop
