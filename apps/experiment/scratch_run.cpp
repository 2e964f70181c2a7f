#include "hanok/apps/experiment/scratch_run.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fmt/format.h>
#include <system_error>

#include "hanok/apps/run/files.h"
#include "hanok/apps/training/start_weights.h"
#include "hanok/kernels/base/error.h"

namespace hanok::training {
namespace {

namespace fs = std::filesystem;

std::string new_temporary_folder() {
  std::string path = temporary_folder() + "/hanok-verify-XXXXXX";
  if (::mkdtemp(path.data()) == nullptr) {
    throw IoError(fmt::format("{}: {}", path, std::strerror(errno)));
  }
  return path;
}

void copy(const std::string& from, const std::string& to) {
  make_folder(fs::path(to).parent_path().string());
  std::error_code error;
  fs::copy_file(from, to, error);
  if (error)
    throw IoError(fmt::format("{}: cannot be copied to {}: {}", from, to, error.message()));
}

}  // namespace

ScratchRun::ScratchRun(const From& from) : path_(new_temporary_folder()), fold_(from.fold) {
  folder_ = RunFolder::create(path_);
  if (!from.state.empty()) {
    copy(from.state, folder_->last(fold_));
    // The best epoch's weights, which a resume keeps; before the first epoch there are none.
    const std::string best = from.run.best(fold_);
    if (exists(best)) copy(best, folder_->best(fold_));
  }
  log_ = std::make_unique<MetricsLog>(*folder_);
  for (const EpochMetrics& line : from.epochs) log_->append(line);
}

ScratchRun::~ScratchRun() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
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
