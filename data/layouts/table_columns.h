// Which columns of a table hold images, labels and groups. Private to this room.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "hanok/data/csv.h"
#include "hanok/data/dataset.h"

namespace hanok::data {

struct TableColumns {
  std::size_t path = 0, label = 0;
  std::optional<std::size_t> group;
};

/// The columns that `options` names, or path and label, or those of usual names in any letter case.
/// Throws FormatError that lists the columns where there is none or more than one.
TableColumns find_columns(const Csv& csv, const DatasetOptions& options);

/// True if find_columns() would find them.
bool has_image_columns(const Csv& csv, const DatasetOptions& options);

}  // namespace hanok::data
