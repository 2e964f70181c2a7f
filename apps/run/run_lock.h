// One process works in a run folder at a time: the file run.lock is locked by it and names it.
//
// The lock belongs to the open file, so the system releases it with the process, also after kill
// -9; what remains then is a file that nobody holds, and the next process takes it over. Two hosts
// that share the folder over NFS see each other's locks. Where the file system has none, the
// process named in the file counts as alive if it is.
#pragma once

#include <string>
#include <vector>

#include "hanok/apps/cli/reporter.h"

#pragma GCC visibility push(default)
namespace hanok::training {

class RunLock {
 public:
  /// Locks the folder, which exists. Throws UsageError with the number of the process that holds
  /// it, IoError if the file cannot be written.
  explicit RunLock(const std::string& folder);
  /// Removes the file and releases the lock.
  ~RunLock();
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;

  /// Records that this process makes the file or folder `name` in the run folder: called before it
  /// does, so that what a killed process has left can be told from the user's own.
  void record(const std::string& name);
  /// From now on nothing is recorded.
  void forget_records();
  /// What the process before, which was killed, had recorded.
  const std::vector<std::string>& left_behind() const { return left_behind_; }

 private:
  void write_text() const;
  std::string folder_, path_;
  int descriptor_ = -1;
  std::vector<std::string> records_, left_behind_;
};

/// "process 1234 on HOST" if one is at work in the folder; empty if none is.
std::string process_at_work(const std::string& folder);

/// Warns those who use the networks of a run that is not done yet.
void warn_of_training(const std::string& run_folder, Reporter& reporter);

}  // namespace hanok::training
#pragma GCC visibility pop
