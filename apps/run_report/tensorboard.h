// RUN/tensorboard: what TensorBoard shows of a run, an event file a fold.
#pragma once

#include <string>
#include <vector>

#include "hanok/apps/cli/reporter.h"
#include "hanok/apps/options/options.h"
#include "hanok/apps/run/run_folder.h"
#include "hanok/apps/training/samples/experiment_data.h"

#pragma GCC visibility push(default)
namespace hanok::run_report {

/// What stands at the beginning of each event file. Strings are serialised or encoded.
struct EventFileStart {
  double wall_time = 0;   // seconds since 1970
  std::string graph{};    // a GraphDef
  std::string picture{};  // a JPEG of augmented photographs
  int width = 0, height = 0;
};

/// The network's ops as a GraphDef, for EventFileStart.
std::string graph_def(const training::Options& options, std::int64_t classes);

/// An event file of one fold: its start, then the scalars of each epoch of `fold` in `epochs`, at
/// step 1 the first. The times of later events follow from the seconds that epochs took, so that
/// the same epochs give the same bytes, and one epoch more only appends to them.
std::string event_file(const EventFileStart& start,
                       const std::vector<training::EpochMetrics>& epochs, int fold);

/// Keeps RUN/tensorboard/fold_K up to date. The file is appended to, which a TensorBoard that is
/// open follows; after a resume that dropped epochs it is replaced. The first failure is a warning,
/// and the last attempt: the run itself is whole without these files.
class TensorBoardLog {
 public:
  /// Computes the network's graph. The run's `options` and `data` outlive this.
  TensorBoardLog(const training::RunFolder& folder, const training::Options& options,
                 const training::ExperimentData& data, training::Reporter& reporter);
  /// Writes the file of `fold`; `epochs` are those of all folds so far.
  void write(int fold, const std::vector<training::EpochMetrics>& epochs);

 private:
  void start(int fold);
  template <typename Work>
  void attempt(const Work& work);

  training::RunFolder folder_;
  const training::Options& options_;
  const training::ExperimentData& data_;
  training::Reporter& reporter_;
  EventFileStart start_;
  int fold_ = -1;  // of start_; -1: none yet
  bool failed_ = false;
};

}  // namespace hanok::run_report
#pragma GCC visibility pop
