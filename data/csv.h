// CSV files as in RFC 4180: quoted fields may contain commas, doubled quotes and line breaks.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#pragma GCC visibility push(default)
namespace hanok::data {

/// A CSV file: RFC 4180 quoting, optional byte-order mark, LF or CRLF. Throws FormatError naming
/// file and line.
struct Csv {
  std::string path;
  std::vector<std::string> header;
  std::vector<std::vector<std::string>> rows;
  std::vector<std::int64_t> lines;  // first line of each row in the file, from 1
  /// Index of a column; throws FormatError listing the columns if it is missing.
  std::size_t column(const std::string& name) const;
};
Csv read_csv(const std::string& path);
/// Quotes a field if RFC 4180 requires it.
std::string csv_field(const std::string& text);

}  // namespace hanok::data
#pragma GCC visibility pop
