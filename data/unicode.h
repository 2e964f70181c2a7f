// Names and tables as Unicode text. Private to this room.
#pragma once

#include <optional>
#include <string>

namespace hanok::data {

/// True if the bytes are UTF-8.
bool is_utf8_text(const std::string& text);

/// The text in Unicode's composed form (NFC), so that two spellings of a name compare equal: macOS
/// stores "é" as "e" and an accent, a Hangul syllable as its letters. Other bytes than UTF-8 are
/// returned as they are.
std::string nfc(const std::string& text);

/// A key that names share if they differ only in letter case, in blanks at their ends or in their
/// Unicode form.
std::string folded_name(const std::string& name);

/// `text` without blanks (spaces, tabs) at its ends.
std::string trimmed(const std::string& text);

/// UTF-16 in the given byte order, without its byte-order mark, as UTF-8; empty if it is damaged.
std::optional<std::string> utf8_of_utf16(const std::string& bytes, bool big_endian);

}  // namespace hanok::data
