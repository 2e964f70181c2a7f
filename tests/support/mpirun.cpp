#include "tests/support/mpirun.h"

#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <system_error>

#include "tests/support/paths.h"
#include "tests/support/sanitized.h"

namespace hanok::test {

std::string mpirun_path() {
  if (kSanitized) return "";
  std::error_code error;
  if (!std::filesystem::exists(binary_dir() + "/lib/libhanok_mpi.so", error)) return "";
  const char* path = std::getenv("PATH");
  std::istringstream folders(path != nullptr ? path : "");
  for (std::string folder; std::getline(folders, folder, ':');) {
    std::string file = folder + "/mpirun";
    if (std::filesystem::exists(file, error)) return file;
  }
  return "";
}

void allow_mpirun() {
  setenv("OMPI_ALLOW_RUN_AS_ROOT", "1", 1);
  setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", 1);
  setenv("OMPI_MCA_rmaps_base_oversubscribe", "1", 1);
  setenv("OMPI_MCA_btl_vader_single_copy_mechanism", "none", 1);  // ptrace may be forbidden
  unsetenv("HANOK_RANK_SILENCE");
}

std::vector<std::string> ranked(int ranks, const std::string& program,
                                const std::vector<std::string>& arguments) {
  std::vector<std::string> all{"-n", std::to_string(ranks), binary_dir() + "/bin/" + program};
  all.insert(all.end(), arguments.begin(), arguments.end());
  return all;
}

}  // namespace hanok::test
