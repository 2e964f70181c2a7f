// Writing a file so that a reader sees the old content or the new one, never a part of it.
#pragma once

#include <cstddef>
#include <string>

namespace hanok::weights {

/// Writes under a temporary name beside the target (where a link leads, if it is one); commit()
/// syncs the bytes to the disk, renames, and syncs the folder. Without commit() nothing remains.
/// Each failure is an IoError that begins with the target's name.
class AtomicFile {
 public:
  explicit AtomicFile(std::string path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* data, std::size_t bytes);
  void commit();

 private:
  [[noreturn]] void fail(const char* what) const;
  std::string path_;
  std::string temporary_;
  int descriptor_ = -1;
};

/// Renames a finished file and syncs its folder, so that the new name survives a power cut. Throws
/// IoError.
void rename_durably(const std::string& from, const std::string& to);

}  // namespace hanok::weights
