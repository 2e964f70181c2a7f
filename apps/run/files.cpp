#include "hanok/apps/run/files.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <string_view>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <system_error>
#include <unistd.h>

#include "hanok/kernels/base/error.h"
#include "hanok/weights/atomic_file.h"

namespace hanok::training {
namespace {

/// Into the file itself, from its beginning ("w") or its end ("a") on.
void write_directly(const std::string& path, const char* mode, std::string_view content) {
  std::FILE* file = std::fopen(path.c_str(), mode);
  if (file == nullptr) throw IoError(fmt::format("{}: {}", path, std::strerror(errno)));
  const bool whole = std::fwrite(content.data(), 1, content.size(), file) == content.size();
  if (std::fclose(file) != 0 || !whole) {
    throw IoError(fmt::format("{}: {}", path, std::strerror(errno)));
  }
}

[[noreturn]] void fail_to_read(const std::string& path, const std::string& reason) {
  throw IoError(fmt::format("{}: cannot be read: {}", path, reason));
}

/// What the file is; throws IoError if there is none.
struct stat status_of(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0) return status;
  if (errno == ENOENT) throw IoError(path + ": no such file");
  fail_to_read(path, std::strerror(errno));
}

/// Closes a descriptor at the end of its scope.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number() const { return number_; }

 private:
  int number_;
};

/// Why no file can be made in `folder`; empty if one can.
std::string obstacle_in(const std::string& folder) {
  std::string probe = folder + "/.hanok-probe-XXXXXX";
  const Descriptor file(::mkstemp(probe.data()));
  if (file.number() < 0) return std::strerror(errno);
  const bool written = ::write(file.number(), "probe", 5) > 0;
  const int error = errno;
  ::unlink(probe.c_str());
  return written ? "" : std::strerror(error);
}

}  // namespace

void write_file(const std::string& path, const std::string& content) {
  std::error_code error;
  // A pipe or a device: nothing can be renamed to it.
  if (std::filesystem::is_other(path, error)) return write_directly(path, "w", content);
  weights::AtomicFile file(path);
  file.write(content.data(), content.size());
  file.commit();
}

void grow_file(const std::string& path, const std::string& content) {
  if (!exists(path)) return write_file(path, content);
  const std::string before = read_file(path);
  if (content.compare(0, before.size(), before) != 0) return write_file(path, content);
  if (content.size() == before.size()) return;
  write_directly(path, "a", std::string_view(content).substr(before.size()));
}

void check_can_be_written(const std::string& path) {
  const auto refuse = [&path](const std::string& reason) {
    throw IoError(fmt::format("{}: cannot be written: {}", path, reason));
  };
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::status(path, error);
  const bool missing = status.type() == std::filesystem::file_type::not_found;
  if (error && !missing) refuse(error.message());
  if (is_directory(status)) refuse("it is a folder");
  if (is_other(status)) return;  // a pipe or device: written as it is
  const std::filesystem::path parent =
      std::filesystem::path(weights::link_target(path)).parent_path();
  const std::string folder = parent.empty() ? "." : parent.string();
  if (!std::filesystem::exists(folder, error)) refuse("there is no folder " + folder);
  if (!std::filesystem::is_directory(folder, error)) refuse(folder + " is no folder");
  const std::string reason = obstacle_in(folder);
  if (!reason.empty()) refuse(reason);
}

std::string read_file(const std::string& path) {
  // A device such as /dev/zero has no end.
  constexpr std::size_t kMostOfDevice = std::size_t{256} << 20;
  const struct stat status = status_of(path);
  if (S_ISDIR(status.st_mode)) fail_to_read(path, "it is a folder");
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.number() < 0) fail_to_read(path, std::strerror(errno));
  std::string content;
  char part[1 << 16];
  while (true) {
    const ssize_t count = ::read(file.number(), part, sizeof part);
    if (count == 0) break;
    if (count > 0) content.append(part, static_cast<std::size_t>(count));
    if (count < 0 && errno != EINTR) fail_to_read(path, std::strerror(errno));
    if (!S_ISREG(status.st_mode) && content.size() > kMostOfDevice) {
      fail_to_read(path,
                   fmt::format("it is a pipe or device of more than {} bytes", kMostOfDevice));
    }
  }
  const auto size = static_cast<std::size_t>(status.st_size);
  if (S_ISREG(status.st_mode) && content.size() < size) {
    fail_to_read(path, fmt::format("only {} of {} bytes came", content.size(), size));
  }
  return content;
}

void check_can_be_read(const std::string& path) {
  if (S_ISDIR(status_of(path).st_mode)) fail_to_read(path, "it is a folder");
  if (::access(path.c_str(), R_OK) != 0) fail_to_read(path, std::strerror(errno));
}

void check_can_be_mapped(const std::string& path) {
  check_can_be_read(path);
  const struct stat status = status_of(path);
  if (!S_ISREG(status.st_mode)) fail_to_read(path, "it is not a regular file");
  if (status.st_size == 0) fail_to_read(path, "it is empty");
}

bool exists(const std::string& path) {
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::status(path, error);
  if (status.type() == std::filesystem::file_type::not_found) return false;
  if (error) throw IoError(fmt::format("{}: {}", path, error.message()));
  return true;
}

bool is_utf8(const std::string& text) {
  try {
    return !nlohmann::json(text).dump().empty();
  } catch (const nlohmann::json::type_error&) {
    return false;
  }
}

void make_folder(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) throw IoError(fmt::format("{}: {}", path, error.message()));
}

std::string temporary_folder() {
  const char* variable = std::getenv("TMPDIR");
  const bool given = variable != nullptr && *variable != '\0';
  std::string folder = given ? variable : "/tmp";
  std::error_code error;
  std::string reason;
  if (!std::filesystem::is_directory(folder, error)) {
    const bool is_something = std::filesystem::exists(folder, error);
    reason = is_something ? "no folder" : error ? error.message() : "no such folder";
  } else {
    reason = obstacle_in(folder);
  }
  if (reason.empty()) return folder;
  throw IoError(fmt::format(
      "{}{}: temporary files cannot be written there: {}; set the environment variable TMPDIR to a "
      "folder on a disk with room",
      given ? "TMPDIR: " : "", folder, reason));
}

std::string json_problem(int exception_id) {
  constexpr int kFirstOtherThanParsing = 200;
  return exception_id < kFirstOtherThanParsing
             ? "is damaged: not whole JSON, it was cut off or edited"
             : "is damaged: a field is missing or of another kind";
}

std::string absolute_path(const std::string& path) {
  std::error_code error;
  std::filesystem::path whole = std::filesystem::absolute(path, error);
  if (error) {
    throw IoError(fmt::format("{}: the current folder cannot be found: {}", path, error.message()));
  }
  // The system follows a link before the ".." behind it.
  if (std::find(whole.begin(), whole.end(), "..") != whole.end()) {
    whole = std::filesystem::weakly_canonical(whole, error);
    if (error) throw IoError(fmt::format("{}: {}", path, error.message()));
  }
  whole = whole.lexically_normal();
  if (whole.has_relative_path() && whole.filename().empty()) whole = whole.parent_path();  // "a/"
  return whole.string();
}

std::string mount_point(const std::string& path) {
  std::error_code error;
  std::filesystem::path at = std::filesystem::canonical(path, error);
  if (error) throw IoError(fmt::format("{}: {}", path, error.message()));
  const dev_t disk = status_of(at.string()).st_dev;
  while (at.has_relative_path() && status_of(at.parent_path().string()).st_dev == disk) {
    at = at.parent_path();
  }
  return at.string();
}

std::int64_t free_bytes(const std::string& path) {
  struct statvfs disk {};
  if (::statvfs(path.c_str(), &disk) != 0) {
    throw IoError(fmt::format("{}: {}", path, std::strerror(errno)));
  }
  return static_cast<std::int64_t>(disk.f_bavail) * static_cast<std::int64_t>(disk.f_frsize);
}

}  // namespace hanok::training
