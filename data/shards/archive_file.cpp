#include "hanok/data/shards/archive_file.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hanok/kernels/base/error.h"

namespace hanok::data {

ArchiveFile::ArchiveFile(const std::string& path) : path_(path) {
  // A pipe must not be waited for.
  descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor_ < 0) {
    throw IoError(
        fmt::format("{}: {}", path, errno == ENOENT ? "no such file" : std::strerror(errno)));
  }
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(descriptor_);
    throw IoError(path + ": not a regular file");
  }
  size_ = static_cast<std::int64_t>(status.st_size);
}

ArchiveFile::~ArchiveFile() { ::close(descriptor_); }

void ArchiveFile::read(std::int64_t offset, void* to, std::size_t count) const {
  std::size_t done = 0;
  while (done < count) {
    const ssize_t came = ::pread(descriptor_, static_cast<char*>(to) + done, count - done,
                                 static_cast<off_t>(offset) + static_cast<off_t>(done));
    if (came < 0 && errno == EINTR) continue;
    if (came < 0) throw IoError(fmt::format("{}: {}", path_, std::strerror(errno)));
    if (came == 0) {
      throw IoError(fmt::format("{}: cannot be read to byte {}: it ends before", path_,
                                offset + static_cast<std::int64_t>(count)));
    }
    done += static_cast<std::size_t>(came);
  }
}

}  // namespace hanok::data
