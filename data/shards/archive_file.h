// A file that is read at given places. Private to this room.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace hanok::data {

class ArchiveFile {
 public:
  /// Throws IoError unless `path` is a regular file that may be read.
  explicit ArchiveFile(const std::string& path);
  ~ArchiveFile();
  ArchiveFile(const ArchiveFile&) = delete;
  ArchiveFile& operator=(const ArchiveFile&) = delete;

  const std::string& path() const { return path_; }
  int descriptor() const { return descriptor_; }
  std::int64_t size() const { return size_; }
  /// Reads exactly `count` bytes from `offset` on. Throws IoError.
  void read(std::int64_t offset, void* to, std::size_t count) const;

 private:
  std::string path_;
  int descriptor_ = -1;
  std::int64_t size_ = 0;
};

}  // namespace hanok::data
