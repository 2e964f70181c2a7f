#include "hanok/apps/experiment/scratch_run.h"

#include <filesystem>
#include <fmt/format.h>
#include <system_error>

#include "hanok/apps/run/files.h"
#include "hanok/apps/training/start_weights.h"
#include "hanok/kernels/base/error.h"

namespace hanok::training {
namespace {

void copy(const std::string& from, const std::string& to) {
  make_folder(std::filesystem::path(to).parent_path().string());
  std::error_code error;
  std::filesystem::copy_file(from, to, error);
  if (error) {
    throw IoError(fmt::format("{}: cannot be copied to {}: {}", from, to, error.message()));
  }
}

}  // namespace

ScratchRun::ScratchRun(const From& from) : scratch_("hanok-verify"), fold_(from.fold) {
  folder_ = RunFolder::create(scratch_.path());
  if (!from.state.empty()) {
    copy(from.state, folder_->last(fold_));
    // The best epoch's weights, which a resume keeps; before the first epoch there are none.
    const std::string best = from.run.best(fold_);
    if (exists(best)) copy(best, folder_->best(fold_));
  }
  log_ = std::make_unique<MetricsLog>(*folder_);
  for (const EpochMetrics& line : from.epochs) log_->append(line);
}

FoldJob ScratchRun::job(const Options& options, const ExperimentData& data, Reporter& reporter,
                        std::int64_t epoch) const {
  return {.options = options,
          .data = data,
          .reporter = reporter,
          .fold = fold_,
          .folder = &*folder_,
          .log = log_.get(),
          .start_weights = start_weights(options),
          .last_epoch = epoch};
}

}  // namespace hanok::training
