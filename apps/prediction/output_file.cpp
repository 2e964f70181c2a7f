#include "hanok/apps/prediction/output_file.h"

#include <filesystem>
#include <fmt/format.h>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/run/run_folder.h"

namespace hanok::training {

namespace fs = std::filesystem;

void refuse_to_overwrite(const std::string& out, const std::vector<std::string>& inputs,
                         const std::string& option) {
  std::error_code error;
  if (!fs::is_regular_file(out, error)) return;
  for (const std::string& input : inputs) {
    if (!fs::equivalent(out, input, error) || error) continue;
    throw UsageError(fmt::format(
        "{}: {}: this command reads that file{} and would replace it; name another file", option,
        out, out == input ? "" : " (as " + input + ")"));
  }
}

std::vector<std::string> files_of_run(const std::string& run) {
  std::vector<std::string> files;
  for (const std::string& name : run_files(run)) {
    const fs::path path = fs::path(run) / name;
    files.push_back(path.string());
    std::error_code error;
    for (fs::recursive_directory_iterator it(path, error), end; !error && it != end;
         it.increment(error)) {
      files.push_back(it->path().string());
    }
  }
  return files;
}

}  // namespace hanok::training
