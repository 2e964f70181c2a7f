#include "hanok/apps/run/run_lock.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sstream>
#include <sys/stat.h>
#include <unistd.h>

#include "hanok/apps/cli/errors.h"

namespace hanok::training {
namespace {

std::string lock_path(const std::string& folder) { return folder + "/run.lock"; }

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "this machine";
}

/// The lines of run.lock: "process 1234", "host NAME", "made NAME" for each record.
struct LockText {
  std::string process, host;
  std::vector<std::string> made;
};

LockText read_text(int descriptor) {
  std::string text;
  std::array<char, 4096> part{};
  ssize_t count = 0;
  while ((count = ::pread(descriptor, part.data(), part.size(), static_cast<off_t>(text.size()))) >
         0) {
    text.append(part.data(), static_cast<std::size_t>(count));
  }
  LockText result;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t space = line.find(' ');
    if (space == std::string::npos) continue;
    const std::string key = line.substr(0, space);
    const std::string value = line.substr(space + 1);
    if (key == "process") result.process = value;
    if (key == "host") result.host = value;
    if (key == "made") result.made.push_back(value);
  }
  return result;
}

/// "process 1234 on HOST"
std::string owner(const LockText& text) {
  if (text.process.empty()) return "another process";  // it has not written its number yet
  return fmt::format("process {} on {}", text.process, text.host);
}

bool is_alive(const LockText& text) {
  if (text.host != host_name()) return !text.host.empty();  // nobody can tell from here
  pid_t process = 0;
  const char* end = text.process.data() + text.process.size();
  const auto [stop, error] = std::from_chars(text.process.data(), end, process);
  if (error != std::errc() || stop != end || process == ::getpid()) return false;
  return ::kill(process, 0) == 0 || errno == EPERM;
}

enum class Locking { Done, HeldByAnother, NotSupported };

/// Locks the whole file, or asks who would be in the way.
Locking lock(int descriptor, int command, short type) {
  struct flock range {};
  range.l_type = type;
  range.l_whence = SEEK_SET;
  if (::fcntl(descriptor, command, &range) == 0) {
    return command == F_OFD_GETLK && range.l_type != F_UNLCK ? Locking::HeldByAnother
                                                             : Locking::Done;
  }
  return errno == EAGAIN || errno == EACCES ? Locking::HeldByAnother : Locking::NotSupported;
}

/// Another process may have removed the file between our opening and locking it.
bool is_still_there(int descriptor, const std::string& path) {
  struct stat opened {};
  struct stat named {};
  return ::fstat(descriptor, &opened) == 0 && ::stat(path.c_str(), &named) == 0 &&
         opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

}  // namespace

RunLock::RunLock(const std::string& folder) : folder_(folder), path_(lock_path(folder)) {
  do {
    if (descriptor_ >= 0) ::close(descriptor_);
    descriptor_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (descriptor_ < 0) {
      throw IoError(fmt::format("{}: no file can be made in it: {}", folder, std::strerror(errno)));
    }
    const Locking locking = lock(descriptor_, F_OFD_SETLK, F_WRLCK);
    const LockText text = read_text(descriptor_);
    if (locking == Locking::HeldByAnother || (locking == Locking::NotSupported && is_alive(text))) {
      ::close(descriptor_);
      throw UsageError(fmt::format(
          "{0}: {1} is at work in this run folder; wait until it has ended, or interrupt it (kill "
          "-INT {2}: it saves, and the run can be resumed)",
          folder, owner(text), text.process.empty() ? "NUMBER" : text.process));
    }
    left_behind_ = text.made;
  } while (!is_still_there(descriptor_, path_));
  try {
    write_text();
  } catch (const IoError&) {
    ::unlink(path_.c_str());
    ::close(descriptor_);
    throw;
  }
}

RunLock::~RunLock() {
  if (is_still_there(descriptor_, path_)) ::unlink(path_.c_str());
  ::close(descriptor_);
}

void RunLock::record(const std::string& name) {
  records_.push_back(name);
  write_text();
}

void RunLock::forget_records() {
  records_.clear();
  write_text();
}

void RunLock::write_text() const {
  std::string text = fmt::format("process {}\nhost {}\n", ::getpid(), host_name());
  for (const std::string& name : records_) text += fmt::format("made {}\n", name);
  const auto refuse = [this] {
    throw IoError(
        fmt::format("{}: nothing can be written in it: {}", folder_, std::strerror(errno)));
  };
  for (std::size_t done = 0; done < text.size();) {  // a write may take a part
    const ssize_t written =
        ::pwrite(descriptor_, text.data() + done, text.size() - done, static_cast<off_t>(done));
    if (written < 0 && errno != EINTR) refuse();
    if (written > 0) done += static_cast<std::size_t>(written);
  }
  if (::ftruncate(descriptor_, static_cast<off_t>(text.size())) != 0) refuse();
}

std::string process_at_work(const std::string& folder) {
  const int descriptor = ::open(lock_path(folder).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return "";
  const Locking locking = lock(descriptor, F_OFD_GETLK, F_RDLCK);
  const LockText text = read_text(descriptor);
  ::close(descriptor);
  const bool held =
      locking == Locking::HeldByAnother || (locking == Locking::NotSupported && is_alive(text));
  return held ? owner(text) : "";
}

void warn_of_training(const std::string& run_folder, Reporter& reporter) {
  const std::string process = process_at_work(run_folder);
  if (process.empty()) return;
  reporter.warn(fmt::format(
      "{} is still being trained ({}): these are the best networks so far, of the folds so far",
      run_folder, process));
}

}  // namespace hanok::training
