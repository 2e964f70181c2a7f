// CSV as in RFC 4180: quoted fields may contain commas, doubled quotes and line breaks.
#include "hanok/data/csv.h"

#include <fmt/format.h>
#include <fstream>
#include <sstream>

#include "hanok/kernels/base/error.h"

namespace hanok::data {
namespace {

std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw IoError(path + ": cannot be opened");
  std::ostringstream text;
  text << file.rdbuf();
  if (file.bad()) throw IoError(path + ": cannot be read");
  std::string result = std::move(text).str();
  constexpr const char* kByteOrderMark = "\xEF\xBB\xBF";
  if (result.rfind(kByteOrderMark, 0) == 0) result.erase(0, 3);
  return result;
}

/// Parses the text once, one record at a time.
class Parser {
 public:
  Parser(const std::string& path, const std::string& text) : path_(path), text_(text) {}

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
      ++at_;  // the comma
      if (at_ >= text_.size()) {
        record.emplace_back();
        return true;
      }
    }
  }

 private:
  bool skip_line_break() {
    if (text_[at_] == '\r' && at_ + 1 < text_.size() && text_[at_ + 1] == '\n') ++at_;
    if (text_[at_] != '\n') return false;
    ++at_;
    ++line_;
    return true;
  }

  bool at_field_end() const {
    return at_ >= text_.size() || text_[at_] == ',' || text_[at_] == '\n' ||
           (text_[at_] == '\r' && at_ + 1 < text_.size() && text_[at_ + 1] == '\n');
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
      if (text_[at_] == '\n') ++line_;
      field += text_[at_];
    }
    if (!at_field_end()) {
      throw FormatError(fmt::format("{}:{}: text follows a closing quote", path_, line_));
    }
    return field;
  }

  const std::string& path_;
  const std::string& text_;
  std::size_t at_ = 0;
  std::int64_t line_ = 1;
};

}  // namespace

std::size_t Csv::column(const std::string& name) const {
  for (std::size_t i = 0; i < header.size(); ++i) {
    if (header[i] == name) return i;
  }
  std::string columns;
  for (const std::string& column : header) columns += (columns.empty() ? "" : ", ") + column;
  throw FormatError(fmt::format("{}: no column '{}' (columns: {})", path, name, columns));
}

Csv read_csv(const std::string& path) {
  const std::string text = read_text(path);
  Parser parser(path, text);
  Csv csv;
  csv.path = path;
  std::int64_t line = 0;
  if (!parser.next(csv.header, line)) {
    throw FormatError(path + ": the file is empty; a header line was expected");
  }
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
