#include "hanok/data/shards/tar_header.h"

#include <fmt/format.h>
#include <optional>

namespace hanok::data {
namespace {

struct Field {
  std::size_t begin, length;
};
constexpr Field kSize{124, 12}, kChecksum{148, 8};
constexpr std::size_t kType = 156;

/// Octal digits, perhaps between blanks and zero bytes; or, with the first bit set, big-endian.
std::optional<std::int64_t> number(const std::uint8_t* block, Field field) {
  constexpr std::uint8_t kBinary = 0x80;
  const std::uint8_t* bytes = block + field.begin;
  std::uint64_t value = 0;
  if ((bytes[0] & kBinary) != 0) {
    for (std::size_t i = 0; i < field.length; ++i) {
      const std::uint64_t next = i == 0 ? bytes[0] & 0x7FU : bytes[i];
      if (value >> 55 != 0) return {};
      value = value << 8 | next;
    }
    return static_cast<std::int64_t>(value);
  }
  std::size_t i = 0;
  while (i < field.length && bytes[i] == ' ') ++i;
  const std::size_t first = i;
  for (; i < field.length && bytes[i] >= '0' && bytes[i] <= '7'; ++i) {
    value = value * 8 + (bytes[i] - std::uint64_t{'0'});
  }
  if (i == first || (i < field.length && bytes[i] != ' ' && bytes[i] != 0)) return {};
  return static_cast<std::int64_t>(value);
}

/// The sum of the header's bytes, those of the checksum taken as blanks.
std::int64_t sum_of(const std::uint8_t* block) {
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < static_cast<std::size_t>(kTarBlock); ++i) {
    const bool in_checksum = i >= kChecksum.begin && i < kChecksum.begin + kChecksum.length;
    sum += in_checksum ? ' ' : block[i];
  }
  return sum;
}

}  // namespace

std::string header_problem(const std::uint8_t* block, std::int64_t bytes) {
  if (number(block, kChecksum) != sum_of(block)) {
    return "no tar header with a valid checksum stands in front of it";
  }
  const char type = static_cast<char>(block[kType]);
  if (type != '0' && type != '\0' && type != '7') return "it is no regular file";
  const std::optional<std::int64_t> size = number(block, kSize);
  if (size != bytes) {
    return fmt::format("its header states {} bytes, expected {}",
                       size ? std::to_string(*size) : "no number of", bytes);
  }
  return {};
}

}  // namespace hanok::data
