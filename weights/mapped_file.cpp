#include "hanok/weights/mapped_file.h"

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hanok/kernels/base/error.h"

namespace hanok::weights {
namespace {

/// What a signal handler can read: where a file is mapped.
struct Mapping {
  std::atomic<const unsigned char*> begin{nullptr};
  std::atomic<std::size_t> size{0};
  std::atomic<const char*> path{nullptr};
};
constexpr std::size_t kMappings = 64;  // of those beyond, no error tells the name
std::array<Mapping, kMappings> mappings;

void remember(const unsigned char* begin, std::size_t size, const char* path) {
  for (Mapping& mapping : mappings) {
    const unsigned char* free = nullptr;
    if (!mapping.begin.compare_exchange_strong(free, begin)) continue;
    mapping.path = path;
    mapping.size = size;
    return;
  }
}

void forget(const unsigned char* begin) {
  for (Mapping& mapping : mappings) {
    if (mapping.begin != begin) continue;
    mapping.size = 0;
    mapping.path = nullptr;
    mapping.begin = nullptr;
    return;
  }
}

}  // namespace

const char* MappedFile::path_at(const void* address) noexcept {
  const auto* byte = static_cast<const unsigned char*>(address);
  for (const Mapping& mapping : mappings) {
    const unsigned char* begin = mapping.begin;
    const std::size_t size = mapping.size;
    if (begin != nullptr && size > 0 && byte >= begin && byte < begin + size) {
      return mapping.path;
    }
  }
  return nullptr;
}

std::shared_ptr<const MappedFile> MappedFile::open(const std::string& path) {
  // O_NONBLOCK: opening a pipe would wait for a writer.
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) {
    throw IoError(fmt::format("{}: cannot be opened: {}", path, std::strerror(errno)));
  }
  struct stat status {};
  const char* problem = nullptr;
  void* data = nullptr;
  if (::fstat(descriptor, &status) != 0) {
    problem = std::strerror(errno);
  } else if (S_ISDIR(status.st_mode)) {
    problem = "it is a folder";
  } else if (!S_ISREG(status.st_mode)) {
    problem = "it is not a regular file";
  } else if (status.st_size > 0) {  // an empty mapping is not allowed
    data = ::mmap(nullptr, static_cast<std::size_t>(status.st_size), PROT_READ, MAP_PRIVATE,
                  descriptor, 0);
    if (data == MAP_FAILED) problem = std::strerror(errno);
  }
  ::close(descriptor);  // the mapping remains valid
  if (problem != nullptr) throw IoError(fmt::format("{}: cannot be read: {}", path, problem));

  std::shared_ptr<MappedFile> file(new MappedFile);
  file->path_ = path;
  file->data_ = static_cast<const unsigned char*>(data);
  file->size_ = static_cast<std::size_t>(status.st_size);
  if (file->data_ != nullptr) remember(file->data_, file->size_, file->path_.c_str());
  return file;
}

MappedFile::~MappedFile() {
  if (data_ == nullptr) return;
  forget(data_);
  ::munmap(const_cast<unsigned char*>(data_), size_);
}

}  // namespace hanok::weights
