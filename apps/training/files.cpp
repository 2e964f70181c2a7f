#include "apps/training/files.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <iterator>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

#include "kernels/base/error.h"

namespace hanok::training {
namespace {

/// A file descriptor that closes itself.
class Descriptor {
 public:
  Descriptor(const std::string& path, int flags) : fd_(::open(path.c_str(), flags, 0644)) {
    if (fd_ < 0) throw IoError(fmt::format("{}: {}", path, std::strerror(errno)));
  }
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  /// False if the system reports a late write error.
  bool close() {
    const int fd = fd_;
    fd_ = -1;
    return ::close(fd) == 0;
  }

 private:
  int fd_;
};

void write_all(Descriptor& file, const std::string& path, const std::string& content) {
  std::size_t done = 0;
  while (done < content.size()) {
    const ssize_t count = ::write(file.get(), content.data() + done, content.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw IoError(fmt::format("{}: {}", path, std::strerror(errno)));
    done += static_cast<std::size_t>(count);
  }
}

void sync_folder_of(const std::string& path) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  Descriptor descriptor(folder.empty() ? "." : folder.string(), O_RDONLY | O_DIRECTORY);
  ::fsync(descriptor.get());  // some file systems refuse it for folders: nothing is lost then
}

}  // namespace

void write_file(const std::string& path, const std::string& content) {
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {
    Descriptor file(path, O_WRONLY);
    write_all(file, path, content);
    if (!file.close()) throw IoError(fmt::format("{}: {}", path, std::strerror(errno)));
    return;
  }
  const std::string temporary = path + ".tmp";
  try {
    Descriptor file(temporary, O_WRONLY | O_CREAT | O_TRUNC);
    write_all(file, path, content);
    if (::fsync(file.get()) != 0 || !file.close()) {
      throw IoError(fmt::format("{}: {}", path, std::strerror(errno)));
    }
  } catch (const IoError&) {
    ::unlink(temporary.c_str());
    throw;
  }
  if (std::rename(temporary.c_str(), path.c_str()) != 0) {
    throw IoError(fmt::format("{}: {}", path, std::strerror(errno)));
  }
  sync_folder_of(path);
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw IoError(fmt::format("{}: {}", path, std::strerror(errno)));
  std::string content{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (file.bad()) throw IoError(fmt::format("{}: cannot be read", path));
  return content;
}

void make_folder(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) throw IoError(fmt::format("{}: {}", path, error.message()));
}

}  // namespace hanok::training
