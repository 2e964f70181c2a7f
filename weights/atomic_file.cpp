#include "hanok/weights/atomic_file.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fmt/core.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#include "hanok/kernels/base/error.h"

namespace hanok::weights {

AtomicFile::AtomicFile(std::string path) : path_(std::move(path)) {
  path_ = link_target(path_);
  // The process id separates concurrent programs; O_EXCL catches any other collision.
  for (int attempt = 0; attempt < 100 && descriptor_ < 0; ++attempt) {
    temporary_ = fmt::format("{}.{}-{}.tmp", path_, ::getpid(), attempt);
    descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor_ < 0 && errno != EEXIST) break;
  }
  if (descriptor_ < 0) fail("cannot be created");
}

AtomicFile::~AtomicFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(temporary_.c_str());
}

void AtomicFile::write(const void* data, std::size_t bytes) {
  constexpr std::size_t kMostAtOnce = std::size_t{1} << 30;  // write() takes at most 2 GiB
  const auto* next = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t written = ::write(descriptor_, next, std::min(bytes, kMostAtOnce));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail("cannot be written");
    next += written;
    bytes -= static_cast<std::size_t>(written);
  }
}

void AtomicFile::overwrite(std::size_t at, const void* data, std::size_t bytes) {
  const auto* next = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t written = ::pwrite(descriptor_, next, bytes, static_cast<off_t>(at));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail("cannot be written");
    next += written;
    at += static_cast<std::size_t>(written);
    bytes -= static_cast<std::size_t>(written);
  }
}

void AtomicFile::commit() {
  if (::fsync(descriptor_) != 0) fail("cannot be written");
  const int descriptor = std::exchange(descriptor_, -1);
  try {
    if (::close(descriptor) != 0) fail("cannot be written");
    rename_durably(temporary_, path_);
  } catch (...) {
    ::unlink(temporary_.c_str());
    throw;
  }
}

void AtomicFile::fail(const char* what) const {
  throw IoError(fmt::format("{}: {}: {}", path_, what, std::strerror(errno)));
}

std::string link_target(const std::string& path) {
  constexpr int kMostLinks = 40;  // as the system's own limit
  std::filesystem::path target = path;
  std::error_code error;
  for (int links = 0; std::filesystem::is_symlink(target, error); ++links) {
    const std::filesystem::path next = std::filesystem::read_symlink(target, error);
    if (!error && links == kMostLinks) {
      error = std::make_error_code(std::errc::too_many_symbolic_link_levels);
    }
    if (error) throw IoError(fmt::format("{}: cannot be created: {}", path, error.message()));
    target = target.parent_path() / next;  // `next` alone if it is absolute
  }
  return target.string();
}

void rename_durably(const std::string& from, const std::string& to) {
  if (std::rename(from.c_str(), to.c_str()) != 0) {
    throw IoError(fmt::format("{}: cannot be renamed into place: {}", to, std::strerror(errno)));
  }
  std::string folder = std::filesystem::path(to).parent_path().string();
  if (folder.empty()) folder = ".";
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;  // an unreadable folder: the file itself is already synced
  ::fsync(descriptor);         // best effort: some file systems do not support this
  ::close(descriptor);
}

}  // namespace hanok::weights
