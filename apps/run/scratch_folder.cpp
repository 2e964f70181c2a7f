#include "hanok/apps/run/scratch_folder.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fmt/format.h>
#include <system_error>

#include "hanok/apps/run/files.h"
#include "hanok/kernels/base/error.h"

namespace hanok::training {

ScratchFolder::ScratchFolder(const std::string& name)
    : path_(temporary_folder() + "/" + name + "-XXXXXX") {
  if (::mkdtemp(path_.data()) == nullptr) {
    throw IoError(fmt::format("{}: cannot be made: {}", path_, std::strerror(errno)));
  }
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace hanok::training
