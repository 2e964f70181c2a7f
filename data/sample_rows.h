// Rows of a table about a data set's samples.
#pragma once

#include <cstddef>
#include <vector>

#include "hanok/data/csv.h"
#include "hanok/data/dataset.h"

#pragma GCC visibility push(default)
namespace hanok::data {

/// The sample that each row's column `path` names; "./a" is "a", and letters are composed (NFC).
/// Throws FormatError naming file and line for a path that is not in the data set or occurs twice;
/// ValueError if the data set has no samples.
std::vector<std::size_t> samples_of_rows(const Csv& csv, const Dataset& dataset);

}  // namespace hanok::data
#pragma GCC visibility pop
