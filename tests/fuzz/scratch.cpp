#include "tests/fuzz/scratch.h"

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <unistd.h>

namespace hanok::fuzz {
namespace {

namespace fs = std::filesystem;

class Folder {
 public:
  Folder() {
    std::error_code error;
    const fs::path memory = "/dev/shm";
    const fs::path base = fs::is_directory(memory, error) ? memory : fs::temp_directory_path();
    path_ = (base / ("hanok-fuzz-" + std::to_string(::getpid()))).string();
    fs::create_directories(path_);
  }
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace

const std::string& scratch_folder() {
  static const Folder folder;
  return folder.path();
}

std::string scratch_file(const std::string& name, const std::string& content) {
  const fs::path path = fs::path(scratch_folder()) / name;
  std::error_code ignored;
  fs::create_directories(path.parent_path(), ignored);
  std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
  return path.string();
}

void check_names_file(const std::string& message, const std::string& name) {
  if (message.rfind(name, 0) == 0) return;
  throw std::logic_error("an error that does not name its file: " + message);
}

}  // namespace hanok::fuzz
