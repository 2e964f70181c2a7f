#include "hanok/apps/prediction/output_file.h"

#include <filesystem>
#include <fmt/format.h>

#include "hanok/apps/cli/errors.h"

namespace hanok::training {

namespace fs = std::filesystem;

void refuse_to_overwrite(const std::string& out, const std::vector<std::string>& inputs) {
  std::error_code error;
  if (!fs::is_regular_file(out, error)) return;
  for (const std::string& input : inputs) {
    if (!fs::equivalent(out, input, error) || error) continue;
    throw UsageError(fmt::format(
        "--out: {}: this command reads that file{} and would replace it; name another file", out,
        out == input ? "" : " (as " + input + ")"));
  }
}

std::vector<std::string> files_of_run(const std::string& run) {
  std::vector<std::string> files;
  for (const char* name : {"config.toml", "folds.csv", "unreadable.csv", "metrics.jsonl",
                           "metrics.csv", "profile.json", "profile.txt", "conv2d_choices.csv",
                           "cudnn_plans.txt", "predictions.csv", "summary.json"}) {
    files.push_back((fs::path(run) / name).string());
  }
  std::error_code error;
  for (fs::recursive_directory_iterator it(run, error), end; !error && it != end;
       it.increment(error)) {
    const fs::path below = fs::relative(it->path(), run, error);
    if (error || below.begin()->string().rfind("fold_", 0) != 0) continue;
    files.push_back(it->path().string());
  }
  return files;
}

}  // namespace hanok::training
