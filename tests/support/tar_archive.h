// Tar archives built byte by byte, right or wrong, without the library that reads them.
#pragma once

#include <cstdio>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

namespace hanok::test {

struct TarEntry {
  std::string name{}, content{};
  char type = '0';                        // a regular file
  std::optional<std::string> size{};      // the header's field, where it lies
  std::optional<std::string> checksum{};  // the same
  std::string link{};
};

/// A header of POSIX.1-1988 and the content, padded to blocks.
inline std::string tar_entry(const TarEntry& entry) {
  std::string block(512, '\0');
  const auto put = [&block](std::size_t at, const std::string& text, std::size_t most) {
    std::memcpy(&block[at], text.data(), std::min(text.size(), most));
  };
  char octal[13];
  std::snprintf(octal, sizeof octal, "%011zo", entry.content.size());
  put(0, entry.name, 100);
  put(100, "0000644", 7);
  put(108, "0000000", 7);
  put(116, "0000000", 7);
  put(124, entry.size.value_or(octal), 12);
  put(136, "00000000000", 11);
  block[156] = entry.type;
  put(157, entry.link, 100);
  put(257,
      std::string("ustar\0"
                  "00",
                  8),
      8);
  put(148, "        ", 8);
  unsigned sum = 0;
  for (const char c : block) sum += static_cast<unsigned char>(c);
  char digits[9];
  std::snprintf(digits, sizeof digits, "%06o", sum);
  put(148, std::string(digits, 6) + std::string(1, '\0') + " ", 8);
  if (entry.checksum) put(148, *entry.checksum, 8);
  std::string out = block + entry.content;
  out.resize((out.size() + 511) / 512 * 512);
  return out;
}

/// The entries, and the two blocks of zeros at the end.
inline std::string tar_archive(const std::vector<TarEntry>& entries) {
  std::string out;
  for (const TarEntry& entry : entries) out += tar_entry(entry);
  return out + std::string(1024, '\0');
}

}  // namespace hanok::test
