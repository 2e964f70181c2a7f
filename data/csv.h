// Tables as text: CSV as in RFC 4180, and what spreadsheets make of it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#pragma GCC visibility push(default)
namespace hanok::data {

/// A table: RFC 4180 quoting (quoted fields may contain separators, doubled quotes and line
/// breaks); separated by commas, semicolons or tabs, whichever the header has most of; lines end in
/// LF, CRLF or CR. UTF-8 or, with a byte-order mark, UTF-16; other bytes stay as they are. A first
/// line "sep=;" as Excel writes it is passed over.
struct Csv {
  std::string path;
  std::vector<std::string> header;  // without blanks at the ends of a name
  std::vector<std::vector<std::string>> rows;
  std::vector<std::int64_t> lines;  // first line of each row in the file, from 1
  /// Index of a column; throws FormatError listing the columns if it is missing.
  std::size_t column(const std::string& name) const;
};
/// Throws IoError; FormatError naming file and line.
Csv read_csv(const std::string& path);
/// The header alone, for a table whose rows may be anything.
Csv read_csv_header(const std::string& path);
/// Quotes a field if RFC 4180 requires it.
std::string csv_field(const std::string& text);

}  // namespace hanok::data
#pragma GCC visibility pop
