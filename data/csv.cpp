#include "hanok/data/csv.h"

#include <cstdint>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <optional>
#include <sstream>
#include <string_view>
#include <system_error>
#include <utility>

#include "hanok/data/unicode.h"
#include "hanok/kernels/base/error.h"

namespace hanok::data {
namespace {

std::string read_bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw IoError(path + ": cannot be opened");
  std::error_code error;  // of a pipe, which has no size
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  std::ostringstream text;
  text << file.rdbuf();
  if (file.bad()) throw IoError(path + ": cannot be read");
  std::string bytes = std::move(text).str();
  if (!error && bytes.size() < size) {
    throw IoError(fmt::format("{}: cannot be read to the end: {} of {} bytes came", path,
                              bytes.size(), size));
  }
  return bytes;
}

bool starts_with(const std::string& text, std::string_view start) {
  return text.compare(0, start.size(), start) == 0;
}

/// The bytes as text without a byte-order mark; UTF-16 becomes UTF-8.
std::string decoded(const std::string& path, const std::string& bytes) {
  using namespace std::string_view_literals;
  constexpr const char* kRemedy = "save the table as CSV in UTF-8";
  if (starts_with(bytes, "\xEF\xBB\xBF")) return bytes.substr(3);
  if (starts_with(bytes, "PK\x03\x04")) {
    throw FormatError(
        fmt::format("{}: is a spreadsheet or an archive, not text; {}", path, kRemedy));
  }
  if (starts_with(bytes, "\xFF\xFE\0\0"sv) || starts_with(bytes, "\0\0\xFE\xFF"sv)) {
    throw FormatError(fmt::format("{}: is UTF-32 text; {}", path, kRemedy));
  }
  const bool big_endian = starts_with(bytes, "\xFE\xFF");
  if (big_endian || starts_with(bytes, "\xFF\xFE")) {
    std::optional<std::string> text = utf8_of_utf16(bytes.substr(2), big_endian);
    if (!text) throw FormatError(fmt::format("{}: is damaged UTF-16 text; {}", path, kRemedy));
    return *std::move(text);
  }
  if (bytes.find('\0') != std::string::npos) {
    throw FormatError(fmt::format(
        "{}: holds zero bytes: UTF-16 text without a byte-order mark, or no text at all; {}", path,
        kRemedy));
  }
  return bytes;
}

/// The separator that the first line has most of outside of quotes; a comma if it has none.
char separator_of(const std::string& text) {
  std::size_t commas = 0, semicolons = 0, tabs = 0;
  bool quoted = false;
  for (const char c : text) {
    if (c == '"') quoted = !quoted;
    if (quoted) continue;
    if (c == '\n' || c == '\r') break;
    commas += c == ',' ? 1 : 0;
    semicolons += c == ';' ? 1 : 0;
    tabs += c == '\t' ? 1 : 0;
  }
  if (tabs > commas && tabs >= semicolons) return '\t';
  return semicolons > commas ? ';' : ',';
}

/// Parses the text once, one record at a time.
class Parser {
 public:
  Parser(const std::string& path, const std::string& text)
      : path_(path), text_(text), separator_(separator_of(text)) {}

  /// False at the end. Empty lines are skipped. `line` is the record's first line, from 1.
  bool next(std::vector<std::string>& record, std::int64_t& line) {
    while (at_ < text_.size() && skip_line_break()) {
    }
    if (at_ >= text_.size()) return false;
    record.clear();
    line = line_;
    for (;;) {
      record.push_back(text_[at_] == '"' ? quoted_field() : plain_field());
      if (at_ >= text_.size() || skip_line_break()) return true;
      ++at_;  // the separator
      if (at_ >= text_.size()) {
        record.emplace_back();
        return true;
      }
    }
  }

 private:
  /// LF, CRLF or CR.
  bool skip_line_break() {
    if (text_[at_] != '\n' && text_[at_] != '\r') return false;
    if (text_[at_] == '\r' && at_ + 1 < text_.size() && text_[at_ + 1] == '\n') ++at_;
    ++at_;
    ++line_;
    return true;
  }

  bool at_field_end() const {
    return at_ >= text_.size() || text_[at_] == separator_ || text_[at_] == '\n' ||
           text_[at_] == '\r';
  }

  std::string plain_field() {
    const std::size_t start = at_;
    while (!at_field_end()) ++at_;
    return text_.substr(start, at_ - start);
  }

  std::string quoted_field() {
    const std::int64_t start_line = line_;
    std::string field;
    for (++at_;; ++at_) {
      if (at_ >= text_.size()) {
        throw FormatError(fmt::format("{}:{}: a quoted field is never closed", path_, start_line));
      }
      if (text_[at_] == '"') {
        ++at_;
        if (at_ >= text_.size() || text_[at_] != '"') break;
      }
      const bool ends_line = text_[at_] == '\n' || (text_[at_] == '\r' && at_ + 1 < text_.size() &&
                                                    text_[at_ + 1] != '\n');
      if (ends_line) ++line_;
      field += text_[at_];
    }
    if (!at_field_end()) {
      throw FormatError(fmt::format("{}:{}: text follows a closing quote", path_, line_));
    }
    return field;
  }

  const std::string& path_;
  const std::string& text_;
  char separator_;
  std::size_t at_ = 0;
  std::int64_t line_ = 1;
};

void read_header(Parser& parser, Csv& csv) {
  std::int64_t line = 0;
  const auto read = [&] {
    if (!parser.next(csv.header, line)) {
      throw FormatError(csv.path + ": the file is empty; a header line was expected");
    }
  };
  read();
  if (csv.header.size() == 2 && csv.header[0] == "sep=" && csv.header[1].empty()) read();
  for (std::string& name : csv.header) name = trimmed(name);
}

}  // namespace

std::size_t Csv::column(const std::string& name) const {
  for (std::size_t i = 0; i < header.size(); ++i) {
    if (header[i] == name) return i;
  }
  std::string columns;
  for (const std::string& column : header) columns += (columns.empty() ? "" : ", ") + column;
  throw FormatError(fmt::format("{}: no column '{}' (columns: {})", path, name, columns));
}

Csv read_csv_header(const std::string& path) {
  const std::string text = decoded(path, read_bytes(path));
  Parser parser(path, text);
  Csv csv;
  csv.path = path;
  read_header(parser, csv);
  return csv;
}

Csv read_csv(const std::string& path) {
  const std::string text = decoded(path, read_bytes(path));
  Parser parser(path, text);
  Csv csv;
  csv.path = path;
  read_header(parser, csv);
  std::int64_t line = 0;
  std::vector<std::string> record;
  while (parser.next(record, line)) {
    if (record.size() != csv.header.size()) {
      throw FormatError(fmt::format("{}:{}: {} fields, the header has {}", path, line,
                                    record.size(), csv.header.size()));
    }
    csv.rows.push_back(record);
    csv.lines.push_back(line);
  }
  return csv;
}

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

}  // namespace hanok::data
