// Markdown pages as these tests read them: tables, quoted code, words, and what they say of
// sources.
#pragma once

#include <string>
#include <vector>

namespace hanok::structure {

/// Every Markdown page of the repository, as paths relative to the root.
std::vector<std::string> pages();

/// All matches of the pattern's first group.
std::vector<std::string> matches(const std::string& text, const std::string& pattern);

/// Rows of each Markdown table whose header starts with `first_column`, cells trimmed, headers
/// included.
std::vector<std::vector<std::string>> table(const std::string& text,
                                            const std::string& first_column);

/// Without white space, so that code may be indented or wrapped differently.
std::string squeezed(const std::string& text);

/// Characters, not bytes, of a line of UTF-8 text.
int columns_of(const std::string& line);

/// As wc -w counts: tables, code and links included.
int word_count(const std::string& text);

/// Characters of the longest line that can be wrapped (rows of tables and single words, such as a
/// long address, cannot), and what that line is.
struct LongestLine {
  int columns = 0;
  std::string text;
};
LongestLine longest_line(const std::string& text);

/// A block of code that a page quotes, after a line that ends with "`path`:". Empty path: the page
/// does not say where the code is from.
struct Quote {
  std::string path;
  std::string code;
};
std::vector<Quote> quotes(const std::string& page_text);

/// The first part of `quoted` that `source` does not hold; empty if it holds all. A line "..." in
/// the quote leaves lines out: the parts must stand in this order.
std::string missing_part(const std::string& quoted, const std::string& source);

/// The bodies of all definitions of a function in `source`, one after the other; empty without one.
/// `name` is "conv2d", "Optimizer::step" or "TrainingStep::operator()". A name with a class is
/// looked for as it is, or inside that class. With `parameter`, only definitions whose parameters
/// hold that word.
std::string bodies_of(const std::string& name, const std::string& source,
                      const std::string& parameter = "");

}  // namespace hanok::structure
