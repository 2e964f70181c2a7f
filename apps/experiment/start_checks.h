// What can be known before a run's first image is decoded is checked then: the cheapest first.
#pragma once

#include <cstdint>

#include "hanok/apps/options/options.h"
#include "hanok/data/dataset.h"

#pragma GCC visibility push(default)
namespace hanok::training {

/// Throws UsageError for a text that config.toml or the system cannot hold.
void check_texts(const Options& options);

/// The files that options name: --data, --group, --folds-file, --weights. Throws UsageError or
/// IoError naming option, file and cause.
void check_named_files(const Options& options);

/// Builds the network once without training it: bad options and weights are found. Throws
/// UsageError, and the errors of start_from.
void check_network(const Options& options, std::int64_t classes);

/// Throws UsageError if the run folder is the data's: the run's folders would be classes from then
/// on.
void check_apart(const std::string& data, const std::string& out);

/// What will be written beside the folder's small files.
struct DiskNeed {
  std::int64_t checkpoints = 0;  // bytes of weights and optimiser state, of all folds
  std::int64_t image_cache = 0;  // bytes of images that --cache-images yes puts into a file
  std::int64_t total() const { return checkpoints + image_cache; }
};
/// A lower bound: optimiser state of what is trained at the start.
DiskNeed disk_need(const Options& options, const data::Dataset& dataset);

/// What the run writes, and what its disk has left, as a line. Throws IoError if that is too
/// little, also for the user's quota.
std::string check_room(const std::string& run_folder, const DiskNeed& need);

/// TMPDIR, if jobs without a run folder (--plan, --dry-run, --baselines) keep images or features in
/// a temporary file. Throws IoError.
void check_temporary_files(const Options& options, std::int64_t classes);

}  // namespace hanok::training
#pragma GCC visibility pop
