// A file mapped into memory for reading: pages are loaded when they are first accessed, and tensors
// may borrow them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#pragma GCC visibility push(default)
namespace hanok::weights {

using Bytes = std::span<const unsigned char>;

class MappedFile {
 public:
  /// Throws IoError (file name first) if the file cannot be opened or is not a regular file.
  static std::shared_ptr<const MappedFile> open(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  /// The path of the file whose mapping holds `address`; null if none does. May be called from a
  /// signal handler: a page that was cut off from its file, or that its disk fails to read, raises
  /// SIGBUS.
  static const char* path_at(const void* address) noexcept;

  const std::string& path() const { return path_; }
  Bytes bytes() const { return {data_, size_}; }

 private:
  MappedFile() = default;
  std::string path_;
  const unsigned char* data_ = nullptr;
  std::size_t size_ = 0;
};

/// A little-endian unsigned integer of sizeof(T) bytes at `at`, which the caller has checked to be
/// in range.
template <typename T>
T read_little_endian(Bytes bytes, std::size_t at) {
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    value = static_cast<T>(value | static_cast<T>(static_cast<T>(bytes[at + i]) << (8 * i)));
  }
  return value;
}

/// True if [begin, begin + length) is inside a range of `size` bytes; never overflows.
inline bool range_fits(std::uint64_t begin, std::uint64_t length, std::uint64_t size) {
  return begin <= size && length <= size - begin;
}

}  // namespace hanok::weights
#pragma GCC visibility pop
