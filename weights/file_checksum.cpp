#include "hanok/weights/file_checksum.h"

#include <fmt/core.h>
#include <zlib.h>

#include "hanok/kernels/base/error.h"
#include "hanok/weights/mapped_file.h"

namespace hanok::weights {
namespace {

constexpr std::size_t kLengthBytes = 8;  // of the header, in front of it
constexpr std::size_t kDigits = 8;
constexpr std::string_view kZeros = "00000000";

/// Where the digits stand in the file; npos where it carries none.
std::size_t position_of_checksum(Bytes file) {
  if (file.size() < kLengthBytes) return std::string_view::npos;
  const auto length = read_little_endian<std::uint64_t>(file, 0);
  if (!range_fits(kLengthBytes, length, file.size())) return std::string_view::npos;
  const std::size_t at =
      find_checksum({reinterpret_cast<const char*>(file.data()) + kLengthBytes, length});
  return at == std::string_view::npos ? at : kLengthBytes + at;
}

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
  const auto mapped = MappedFile::open(path);
  const Bytes file = mapped->bytes();
  const std::size_t at = position_of_checksum(file);
  if (at == std::string_view::npos) return;
  Crc32 sum;
  sum.add(file.data(), at);
  sum.add(kZeros.data(), kZeros.size());
  const Bytes rest = file.subspan(at + kDigits);
  sum.add(rest.data(), rest.size());
  const std::string_view recorded(reinterpret_cast<const char*>(file.data()) + at, kDigits);
  if (sum.hex() == recorded) return;
  throw FormatError(
      fmt::format("{}: was damaged, or changed by another program: its checksum is {}, its content "
                  "has {}",
                  path, recorded, sum.hex()));
}

}  // namespace hanok::weights
