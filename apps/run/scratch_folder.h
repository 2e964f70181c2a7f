// A folder below the system's temporary one, for as long as an object lives.
#pragma once

#include <string>

#pragma GCC visibility push(default)
namespace hanok::training {

class ScratchFolder {
 public:
  /// `name` begins the folder's name: "finetune-check". Throws IoError if it cannot be made.
  explicit ScratchFolder(const std::string& name);
  /// Removes it with all that is in it.
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(const char* name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace hanok::training
#pragma GCC visibility pop
