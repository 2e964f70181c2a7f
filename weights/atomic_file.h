// Atomic file writes: a reader sees the old content or the new one, never a part of it.
#pragma once

#include <cstddef>
#include <string>

#pragma GCC visibility push(default)
namespace hanok::weights {

/// Writes to a temporary file next to the target (next to the link's target if it is a link);
/// commit() syncs the bytes, renames, and syncs the folder. Without commit() the temporary file is
/// removed. Every failure is an IoError that starts with the target's name.
class AtomicFile {
 public:
  explicit AtomicFile(std::string path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  /// Appends bytes to the temporary file.
  void write(const void* data, std::size_t bytes);
  /// Replaces bytes that were written, `at` bytes behind the file's beginning.
  void overwrite(std::size_t at, const void* data, std::size_t bytes);
  /// Makes the content visible under the target's name.
  void commit();

 private:
  [[noreturn]] void fail(const char* what) const;
  std::string path_;
  std::string temporary_;
  int descriptor_ = -1;
};

/// The path of the file that is written under the name `path`: where its links lead, also if there
/// is nothing yet. Throws IoError for links without end.
std::string link_target(const std::string& path);

/// Renames a finished file and syncs its folder, so that the new name survives a power failure.
/// Throws IoError.
void rename_durably(const std::string& from, const std::string& to);

}  // namespace hanok::weights
#pragma GCC visibility pop
