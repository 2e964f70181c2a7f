#include "hanok/apps/run_report/record_file.h"

#include <array>
#include <fmt/format.h>
#include <optional>

namespace hanok::run_report {
namespace {

constexpr std::uint32_t kReflectedPolynomial = 0x82F63B78;  // 0x1EDC6F41, lowest bit first
constexpr std::size_t kLengthBytes = 8, kCrcBytes = 4;

/// The CRC of each single byte (the table algorithm: Sarwate, 1988).
constexpr std::array<std::uint32_t, 256> make_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc & 1) != 0 ? (crc >> 1) ^ kReflectedPolynomial : crc >> 1;
    }
    table[byte] = crc;
  }
  return table;
}
constexpr std::array<std::uint32_t, 256> kTable = make_table();

/// `count` bytes of the number, lowest first.
std::string little_endian(std::uint64_t number, std::size_t count) {
  std::string bytes;
  for (std::size_t i = 0; i < count; ++i) bytes += static_cast<char>(number >> (8 * i) & 0xFF);
  return bytes;
}

std::uint64_t from_little_endian(std::string_view bytes) {
  std::uint64_t number = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) {
    number = number << 8 | static_cast<unsigned char>(bytes[i]);
  }
  return number;
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
  std::uint32_t crc = 0xFFFFFFFF;
  for (const char c : bytes) crc = kTable[(crc ^ static_cast<unsigned char>(c)) & 0xFF] ^ crc >> 8;
  return crc ^ 0xFFFFFFFF;
}

std::uint32_t masked_crc32c(std::string_view bytes) {
  constexpr std::uint32_t kDelta = 0xA282EAD8;
  const std::uint32_t crc = crc32c(bytes);
  return (crc >> 15 | crc << 17) + kDelta;
}

std::string to_record(std::string_view bytes) {
  const std::string length = little_endian(bytes.size(), kLengthBytes);
  std::string record = length + little_endian(masked_crc32c(length), kCrcBytes);
  record += bytes;
  return record + little_endian(masked_crc32c(bytes), kCrcBytes);
}

Records read_records(std::string_view content) {
  Records found;
  std::size_t at = 0;
  // The next `count` bytes, behind which their checksum stands; empty if something is wrong.
  const auto next = [&](std::uint64_t count) -> std::optional<std::string_view> {
    if (count > content.size() - at || content.size() - at - count < kCrcBytes) {
      found.problem = fmt::format("record {} is truncated", found.records.size());
      return {};
    }
    const std::string_view bytes = content.substr(at, count);
    at += count;
    const std::uint64_t crc = from_little_endian(content.substr(at, kCrcBytes));
    at += kCrcBytes;
    if (crc == masked_crc32c(bytes)) return bytes;
    found.problem = fmt::format("record {} has a wrong checksum", found.records.size());
    return {};
  };
  while (at < content.size()) {
    const std::optional<std::string_view> length = next(kLengthBytes);
    if (!length) break;
    const std::optional<std::string_view> bytes = next(from_little_endian(*length));
    if (!bytes) break;
    found.records.emplace_back(*bytes);
  }
  return found;
}

}  // namespace hanok::run_report
