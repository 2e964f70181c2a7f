// The start of a run: a folder that becomes a run whole, or is left as it was found.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "hanok/apps/run/run_folder.h"
#include "hanok/apps/run/run_lock.h"

#pragma GCC visibility push(default)
namespace hanok::training {

/// Makes a folder and those above it. The destructor removes those that it made and that are empty.
class MadeFolders {
 public:
  /// Throws UsageError if something that is no folder is in the way, IoError if the system refuses.
  explicit MadeFolders(const std::string& path);
  ~MadeFolders();
  MadeFolders(const MadeFolders&) = delete;
  MadeFolders& operator=(const MadeFolders&) = delete;

 private:
  std::vector<std::string> made_;  // innermost first
};

/// Holds the folder's lock. Its destructor removes what was made (and only that), unless keep() was
/// called; what a start that was killed has left is removed by the next one.
class NewRun {
 public:
  /// Makes the folder `out`. Throws UsageError if it holds a run or files that a run would
  /// overwrite, if it cannot be a folder, or if another process is at work in it; IoError if
  /// nothing can be written there.
  explicit NewRun(const std::string& out);
  ~NewRun();
  NewRun(const NewRun&) = delete;
  NewRun& operator=(const NewRun&) = delete;

  const RunFolder& folder() const { return *folder_; }
  /// To be called before a file or folder of this name is made in the folder; returns its path.
  std::string make(const std::string& name);
  /// The run is whole: it stays.
  void keep();
  /// It does not stay after all, unless a fold has saved something from which it can be resumed.
  void discard_unless_saved();

 private:
  std::string out_;
  MadeFolders folders_;
  std::optional<RunLock> lock_;
  std::optional<RunFolder> folder_;
  std::vector<std::string> made_;  // names in the folder
};

}  // namespace hanok::training
#pragma GCC visibility pop
