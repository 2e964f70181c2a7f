// The data as tables of folds record them: folds.csv and unreadable.csv of a run folder, from which
// a run is resumed whatever has happened to the data since, and the user's own for --folds-file.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "hanok/apps/cli/reporter.h"
#include "hanok/apps/options/options.h"
#include "hanok/apps/run/run_folder.h"
#include "hanok/apps/training/samples/experiment_data.h"

#pragma GCC visibility push(default)
namespace hanok::training {

/// folds.csv of a run folder: path,label,group,fold, then fold_2, ... of further repeats, then the
/// size of the file in bytes (empty if it cannot be found out); of data in shards also offset and
/// crc32, where it lies in its shard. The label is the class's name.
std::string folds_to_csv(const ExperimentData& data);

/// unreadable.csv of a run folder: path,reason.
std::string unreadable_to_csv(const std::vector<data::BadImage>& bad);
std::vector<data::BadImage> unreadable_from_csv(const std::string& path);

/// What folds.csv does not say of the data: the table [recorded] of config.toml.
struct RecordedData {
  std::string layout{};
  std::vector<std::string> class_names{};  // in the order of the logits
  int folds = 0;
  bool grouped = false;
  /// Where the data lie if it is in the run folder, relative to it: they move with it.
  std::string data_in_run{};
  /// With --memory: what of it was left for tensors, in bytes. A resumed run divides its batches at
  /// the same steps only with the same memory.
  std::int64_t tensor_budget = 0;
};
RecordedData recorded(const ExperimentData& data);
std::string to_toml(const RecordedData& recorded);
/// Empty if the configuration records none. Throws FormatError for damaged records.
std::optional<RecordedData> recorded_in_toml(const std::string& config_path);

/// The same data as when folds.csv was written, whatever has been added to the folder since.
/// Without `recorded` classes are numbered as the data's folder numbers them now. Throws
/// FormatError naming file and line for what no run has written.
ExperimentData data_from_folds_csv(const Options& options, const std::string& path,
                                   const std::optional<RecordedData>& recorded = {});

/// Sets `options.data` to where the data are if they lie in the run folder and moved with it.
/// Throws IoError if they are not there.
void locate_data(Options& options, const RunFolder& folder,
                 const std::optional<RecordedData>& recorded);

/// The data of a run as it recorded them, unreadable images and the faces of --crop face included:
/// its samples have the crops with which they were trained. Classes of a run that has no
/// [recorded] are those of its checkpoints, if it has any.
ExperimentData data_of_run(const Options& options, const RunFolder& folder,
                           const std::optional<RecordedData>& recorded);

/// What has happened to the run's files since. Reports files and classes that are new, and labels
/// that have changed: all of them are ignored. Throws IoError or ValueError naming images that are
/// missing or have another size, with --crop face also other content: without them the run could
/// not end with the same weights.
void compare_with_files(ExperimentData& data, const Options& options, const RunFolder& folder,
                        Reporter& reporter);

/// The fold of each sample in the table of --folds-file. Samples that it lacks must be unreadable:
/// they are in fold 0, and leave the data set before it is used. Throws FormatError naming file and
/// line.
data::Folds folds_from_file(const Options& options, const data::Dataset& dataset);

}  // namespace hanok::training
#pragma GCC visibility pop
