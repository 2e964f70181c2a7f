#include "hanok/weights/file_checksum.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>
#include <zlib.h>

#include "hanok/kernels/base/error.h"
#include "hanok/weights/mapped_file.h"

namespace hanok::weights {
namespace {

constexpr std::size_t kLengthBytes = 8;  // of the header, in front of it
constexpr std::size_t kDigits = 8;
constexpr std::size_t kPart = 1 << 20;               // bytes read at a time
constexpr std::uint64_t kLongestHeader = 100 << 20;  // the reader refuses longer ones
constexpr std::string_view kZeros = "00000000";

/// A file read from its beginning: a mapping would take as much address space as it is long.
class Reader {
 public:
  explicit Reader(const std::string& path)
      : path_(path), descriptor_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
    if (descriptor_ < 0) {
      throw IoError(fmt::format("{}: cannot be opened: {}", path, std::strerror(errno)));
    }
  }
  ~Reader() { ::close(descriptor_); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  /// Appends up to `bytes` bytes to `content`; fewer at the end of the file.
  void read(std::size_t bytes, std::string& content) {
    const std::size_t before = content.size();
    content.resize(before + bytes);
    std::size_t done = 0;
    while (done < bytes) {
      const ssize_t count = ::read(descriptor_, content.data() + before + done, bytes - done);
      if (count == 0) break;
      if (count > 0) done += static_cast<std::size_t>(count);
      if (count < 0 && errno == EIO) {  // the disk lost it
        throw FormatError(fmt::format("{}: cannot be read: {}", path_, std::strerror(errno)));
      }
      if (count < 0 && errno != EINTR) {
        throw IoError(fmt::format("{}: cannot be read: {}", path_, std::strerror(errno)));
      }
    }
    content.resize(before + done);
  }

 private:
  const std::string& path_;
  int descriptor_;
};

}  // namespace

void Crc32::add(const void* bytes, std::size_t size) {
  value_ = static_cast<std::uint32_t>(::crc32_z(value_, static_cast<const Bytef*>(bytes), size));
}

std::string Crc32::hex() const { return fmt::format("{:08x}", value_); }

std::size_t find_checksum(std::string_view header) {
  const std::string key = fmt::format("\"{}\":\"", kChecksumKey);
  const std::size_t at = header.find(key);
  const bool whole =
      at != std::string_view::npos && range_fits(at + key.size(), kDigits, header.size());
  return whole ? at + key.size() : std::string_view::npos;
}

void verify_checksum(const std::string& path) {
  Reader file(path);
  std::string content;
  file.read(kLengthBytes, content);
  if (content.size() < kLengthBytes) return;
  const auto length = read_little_endian<std::uint64_t>(
      {reinterpret_cast<const unsigned char*>(content.data()), content.size()}, 0);
  if (length > kLongestHeader) return;
  file.read(length, content);
  const std::size_t at = find_checksum(std::string_view(content).substr(kLengthBytes));
  if (at == std::string_view::npos) return;
  const std::string recorded = content.substr(kLengthBytes + at, kDigits);
  content.replace(kLengthBytes + at, kDigits, kZeros);
  Crc32 sum;
  while (!content.empty()) {
    sum.add(content.data(), content.size());
    content.clear();
    file.read(kPart, content);
  }
  if (sum.hex() == recorded) return;
  throw FormatError(
      fmt::format("{}: was damaged, or changed by another program: its checksum is {}, its content "
                  "has {}",
                  path, recorded, sum.hex()));
}

}  // namespace hanok::weights
