// Options of predict and evaluate: how images are read, and where predictions are computed.
#pragma once

#include <cstdint>

#include "hanok/apps/options/option_values.h"
#include "hanok/data/dataset.h"
#include "hanok/engine/precision.h"

namespace CLI {
class App;
}

#pragma GCC visibility push(default)
namespace hanok::training {

struct ReadingOptions {
  bool allow_bad = false;  // unreadable images are no failure
  std::int64_t batch_size = 32, threads = 0, workers = 2;
  DeviceChoice device{};
  Precision precision = Precision::F32;
  MemorySize memory{};  // auto
};

/// --layout, --path-column and --label-column: how a data set is laid out.
void add_layout_options(CLI::App& app, data::DatasetOptions& options);
void add_reading_options(CLI::App& app, ReadingOptions& options);
/// Throws UsageError.
void check_reading_options(const ReadingOptions& options);

}  // namespace hanok::training
#pragma GCC visibility pop
