#include "tests/structure/pages.h"

#include <algorithm>
#include <cctype>
#include <regex>
#include <sstream>

#include "tests/structure/source_tree.h"

namespace hanok::structure {
namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

bool is_word_character(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

/// Position behind the bracket that closes the one at `open`; npos where none does.
std::size_t behind_closing(const std::string& text, std::size_t open, char left, char right) {
  int depth = 0;
  for (std::size_t i = open; i < text.size(); ++i) {
    if (text[i] == left) ++depth;
    if (text[i] == right && --depth == 0) return i + 1;
  }
  return std::string::npos;
}

/// The text of `class NAME` or `struct NAME`, from its first brace to the last; empty without it.
std::string class_text(const std::string& name, const std::string& source) {
  const std::regex head("\\b(?:class|struct) " + name + "\\b[^;{(]*\\{");
  std::smatch match;
  if (!std::regex_search(source, match, head)) return "";
  const auto open = static_cast<std::size_t>(match.position() + match.length() - 1);
  const std::size_t end = behind_closing(source, open, '{', '}');
  return end == std::string::npos ? "" : source.substr(open, end - open);
}

/// Bodies of definitions NAME(...) ... { } in `source`.
std::string bodies_named(const std::string& name, const std::string& source,
                         const std::string& parameter) {
  std::string bodies;
  for (std::size_t at = source.find(name + "("); at != std::string::npos;
       at = source.find(name + "(", at + 1)) {
    // Not the end of a longer name, and not a call of a member.
    if (at > 0 &&
        (is_word_character(source[at - 1]) || source[at - 1] == '.' || source[at - 1] == '>')) {
      continue;
    }
    const std::size_t open = at + name.size();
    const std::size_t end = behind_closing(source, open, '(', ')');
    if (end == std::string::npos) continue;
    const std::string parameters = source.substr(open, end - open);
    if (!parameter.empty() && parameters.find(parameter) == std::string::npos) continue;
    static const std::regex kQualifiers(R"(^\s*(?:(?:const|noexcept|override|final)\s*)*\{)");
    std::smatch match;
    const std::string rest = source.substr(end, 200);
    if (!std::regex_search(rest, match, kQualifiers)) continue;
    const std::size_t brace = end + static_cast<std::size_t>(match.length()) - 1;
    const std::size_t close = behind_closing(source, brace, '{', '}');
    if (close != std::string::npos) bodies += source.substr(brace, close - brace);
  }
  return bodies;
}

}  // namespace

std::vector<std::string> pages() {
  std::vector<std::string> found = {"README.md", "CONTRIBUTING.md", "SECURITY.md",
                                    "THIRD_PARTY.md"};
  std::vector<std::string> folders = rooms();
  folders.insert(folders.end(), {"tests", "bench", "docs"});
  for (const std::string& folder : folders) {
    for (const std::string& file : files(folder, {".md"})) found.push_back(file);
  }
  return found;
}

std::vector<std::string> matches(const std::string& text, const std::string& pattern) {
  const std::regex regex(pattern);
  std::vector<std::string> found;
  for (std::sregex_iterator it(text.begin(), text.end(), regex), end; it != end; ++it) {
    found.push_back((*it)[1]);
  }
  return found;
}

std::vector<std::vector<std::string>> table(const std::string& text,
                                            const std::string& first_column) {
  std::vector<std::vector<std::string>> rows;
  bool inside = false;
  for (const std::string& line : lines_of(text)) {
    if (!inside) inside = line.rfind("| " + first_column + " |", 0) == 0;
    if (!inside) continue;
    if (line.empty() || line.front() != '|') {
      inside = false;
    } else if (line.find("---") == std::string::npos) {
      rows.emplace_back(matches(line, R"(\|\s*([^|]*[^|\s]|)\s*(?=\|))"));
    }
  }
  return rows;
}

std::string squeezed(const std::string& text) {
  std::string result;
  for (const char c : text) {
    if (std::isspace(static_cast<unsigned char>(c)) == 0) result.push_back(c);
  }
  return result;
}

int columns_of(const std::string& line) {
  return static_cast<int>(std::count_if(line.begin(), line.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
  }));
}

int word_count(const std::string& text) {
  std::istringstream words(text);
  int count = 0;
  for (std::string word; words >> word;) ++count;
  return count;
}

LongestLine longest_line(const std::string& text) {
  LongestLine longest;
  for (const std::string& line : lines_of(text)) {
    const bool can_be_wrapped = line.front() != '|' && word_count(line) > 1;
    if (can_be_wrapped && columns_of(line) > longest.columns) longest = {columns_of(line), line};
  }
  return longest;
}

std::vector<Quote> quotes(const std::string& page_text) {
  std::vector<Quote> found;
  std::string before;  // the last line of text
  const std::vector<std::string> lines = lines_of(page_text);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (lines[i].rfind("```", 0) != 0) {
      if (!lines[i].empty()) before = lines[i];
      continue;
    }
    const bool is_code = lines[i] == "```cpp" || lines[i] == "```cuda";
    Quote quote;
    std::smatch match;
    if (std::regex_search(before, match, std::regex("`([A-Za-z0-9_./-]+/[A-Za-z0-9_./-]+)`:$"))) {
      quote.path = match[1];
    }
    for (++i; i < lines.size() && lines[i].rfind("```", 0) != 0; ++i) quote.code += lines[i] + "\n";
    if (is_code) found.push_back(quote);
    before.clear();
  }
  return found;
}

std::string missing_part(const std::string& quoted, const std::string& source) {
  const std::string text = squeezed(source);
  std::size_t at = 0;
  std::string part;
  for (const std::string& line : lines_of(quoted + "\n...\n")) {
    if (squeezed(line) != "...") {
      part += line + "\n";
      continue;
    }
    const std::size_t found = text.find(squeezed(part), at);
    if (found == std::string::npos) return part;
    at = found + squeezed(part).size();
    part.clear();
  }
  return "";
}

std::string bodies_of(const std::string& name, const std::string& source,
                      const std::string& parameter) {
  const std::string whole = bodies_named(name, source, parameter);
  const std::size_t colons = name.rfind("::");
  if (!whole.empty() || colons == std::string::npos) return whole;
  const std::string inside = class_text(name.substr(0, colons), source);
  return bodies_named(name.substr(colons + 2), inside, parameter);
}

}  // namespace hanok::structure
