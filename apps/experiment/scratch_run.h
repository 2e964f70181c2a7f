// A fold of a run in a temporary folder, to be trained again from one of its checkpoints.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hanok/apps/run/scratch_folder.h"
#include "hanok/apps/training/fold_job.h"

#pragma GCC visibility push(default)
namespace hanok::training {

class ScratchRun {
 public:
  struct From {
    const RunFolder& run;
    int fold = 0;
    std::string state{};                 // file of a checkpoint; empty: the start weights
    std::vector<EpochMetrics> epochs{};  // of the fold, before that
  };
  /// Copies what a resume needs. Throws IoError.
  explicit ScratchRun(const From& from);

  const RunFolder& folder() const { return *folder_; }
  /// The fold's training up to the end of `epoch` (1 is the first). The arguments and this object
  /// outlive the job.
  FoldJob job(const Options& options, const ExperimentData& data, Reporter& reporter,
              std::int64_t epoch) const;

 private:
  ScratchFolder scratch_;
  int fold_ = 0;
  std::optional<RunFolder> folder_;
  std::unique_ptr<MetricsLog> log_;
};

}  // namespace hanok::training
#pragma GCC visibility pop
