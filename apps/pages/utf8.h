// Characters of UTF-8 text.
#pragma once

#include <cstddef>
#include <string>

namespace hanok::pages {

/// True for the bytes of a character behind its first one.
inline bool continues_character(char byte) {
  return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U;
}

/// Number of characters: of columns on a terminal, where each takes one.
std::size_t characters(const std::string& text);

/// Bytes of the character that begins at `text[i]`; 0 if the bytes there are no UTF-8.
std::size_t character_length(const std::string& text, std::size_t i);

}  // namespace hanok::pages
