// `convert DIR OUT --shards N`: a data set as tar archives.
#pragma once

#include <cstdint>
#include <string>

#include "hanok/apps/cli/reporter.h"
#include "hanok/data/dataset.h"

#pragma GCC visibility push(default)
namespace hanok::training {

struct ShardConversion {
  std::string data{}, out{};  // folder or table, and the folder to write
  data::DatasetOptions reading{};
  std::int64_t shards = 1;
};

/// Reads the data set, writes it by data::write_shards() with progress, and prints what was done.
/// Throws as data::load_dataset() and data::write_shards().
void convert_to_shards(const ShardConversion& conversion, Reporter& reporter);

}  // namespace hanok::training
#pragma GCC visibility pop
