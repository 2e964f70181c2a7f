#include "hanok/data/unicode.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <utf8proc.h>

namespace hanok::data {
namespace {

bool is_ascii(const std::string& text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

/// utf8proc's map of the text; the text itself if it is not UTF-8.
std::string mapped(const std::string& text, int options) {
  utf8proc_uint8_t* result = nullptr;
  const utf8proc_ssize_t size = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                             static_cast<utf8proc_ssize_t>(text.size()), &result,
                                             static_cast<utf8proc_option_t>(options));
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(result, &std::free);
  if (size < 0) return text;
  return {reinterpret_cast<const char*>(result), static_cast<std::size_t>(size)};
}

}  // namespace

bool is_utf8_text(const std::string& text) {
  const auto* at = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  auto left = static_cast<utf8proc_ssize_t>(text.size());
  while (left > 0) {
    utf8proc_int32_t ignored = 0;
    const utf8proc_ssize_t length = utf8proc_iterate(at, left, &ignored);
    if (length <= 0) return false;
    at += length;
    left -= length;
  }
  return true;
}

std::string nfc(const std::string& text) {
  if (is_ascii(text)) return text;
  return mapped(text, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
}

std::string trimmed(const std::string& text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::string folded_name(const std::string& name) {
  return mapped(trimmed(name), UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_CASEFOLD);
}

std::optional<std::string> utf8_of_utf16(const std::string& bytes, bool big_endian) {
  if (bytes.size() % 2 != 0) return {};
  const auto unit_at = [&](std::size_t i) {
    const auto first = static_cast<unsigned char>(bytes[i]);
    const auto second = static_cast<unsigned char>(bytes[i + 1]);
    return big_endian ? std::uint32_t{first} << 8 | second : std::uint32_t{second} << 8 | first;
  };
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 2) {
    std::uint32_t code = unit_at(i);
    if (code >= 0xDC00 && code < 0xE000) return {};  // the second half of a pair, alone
    if (code >= 0xD800 && code < 0xDC00) {           // the first half
      if (i + 4 > bytes.size()) return {};
      const std::uint32_t low = unit_at(i + 2);
      if (low < 0xDC00 || low >= 0xE000) return {};
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
      i += 2;
    }
    utf8proc_uint8_t encoded[4];
    const utf8proc_ssize_t length =
        utf8proc_encode_char(static_cast<utf8proc_int32_t>(code), encoded);
    text.append(reinterpret_cast<const char*>(encoded), static_cast<std::size_t>(length));
  }
  return text;
}

}  // namespace hanok::data
