#include "hanok/apps/cli/help.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fmt/format.h>
#include <memory>
#include <sstream>
#include <utility>
#include <vector>

namespace hanok::training {
namespace {

constexpr std::size_t kOptionIndent = 2;  // of an option's name
constexpr std::size_t kNameIndent = 6;    // of the rest of a name that is broken

/// What may not be broken, each with the blanks before it.
std::vector<std::string> pieces_of(const std::string& line) {
  std::vector<std::string> pieces;
  std::string piece;
  bool in_word = false;
  for (const char c : line) {
    if (c == ' ' && in_word) {
      pieces.push_back(std::exchange(piece, ""));
      in_word = false;
    }
    piece += c;
    in_word = c != ' ';
    if (c == '|') {
      pieces.push_back(std::exchange(piece, ""));
      in_word = false;
    }
  }
  if (in_word) pieces.push_back(piece);
  return pieces;
}

std::string wrapped_line(const std::string& line, std::size_t columns, std::size_t indent) {
  std::string out;
  std::size_t used = 0;
  for (const std::string& piece : pieces_of(line)) {
    if (used > indent && used + piece.size() > columns) {
      const std::string word = piece.substr(piece.find_first_not_of(' '));
      out += "\n" + std::string(indent, ' ') + word;
      used = indent + word.size();
    } else {
      out += piece;
      used += piece.size();
    }
  }
  return out;
}

/// Joins the lines of a paragraph that were broken for the source's width. A line that is indented,
/// follows the end of a sentence, or is an example, begins anew.
std::string reflowed(const std::string& text) {
  std::string out;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    while (!line.empty() && line.back() == ' ') line.pop_back();
    const std::string last_line = out.substr(out.rfind('\n') + 1);
    const bool goes_on = !last_line.empty() && last_line[0] != ' ' &&
                         std::string(".:;]").find(last_line.back()) == std::string::npos;
    if (goes_on && !line.empty() && line[0] != ' ' && line.rfind("Example:", 0) != 0) {
      out += " " + line;
    } else {
      out += (out.empty() ? "" : "\n") + line;
    }
  }
  return out;
}

/// A paragraph or several, each line of which keeps its own indentation.
std::string wrapped_text(const std::string& text, std::size_t columns) {
  std::string out;
  std::istringstream lines(reflowed(text));
  for (std::string line; std::getline(lines, line);) {
    const std::size_t own = std::min(line.find_first_not_of(' '), line.size());
    out += wrapped_line(line, columns, own == 0 ? 0 : own + 2) + "\n";
  }
  return out;
}

class FittedFormatter : public CLI::Formatter {
 public:
  FittedFormatter(const CLI::Formatter& other, std::size_t columns)
      : CLI::Formatter(other), columns_(columns) {}

  std::string make_option(const CLI::Option* option, bool positional) const override {
    return two_columns(make_option_name(option, positional) + make_option_opts(option),
                       make_option_desc(option));
  }
  std::string make_subcommand(const CLI::App* command) const override {
    return two_columns(command->get_display_name(true), command->get_description());
  }
  std::string make_description(const CLI::App* app) const override {
    return wrapped_text(CLI::Formatter::make_description(app), columns_);
  }
  std::string make_usage(const CLI::App* app, std::string name) const override {
    return wrapped(CLI::Formatter::make_usage(app, std::move(name)), columns_, kNameIndent);
  }
  std::string make_footer(const CLI::App* app) const override {
    return wrapped_text(CLI::Formatter::make_footer(app), columns_);
  }

 private:
  /// The name, and what it means in a column beside it, or below it if the name is long.
  std::string two_columns(const std::string& name, const std::string& meaning) const {
    const std::size_t column = std::min(column_width_, columns_ * 2 / 5);
    const std::string left =
        wrapped_line(std::string(kOptionIndent, ' ') + name, columns_, kNameIndent);
    const std::size_t left_end = left.size() - (left.rfind('\n') + 1);
    if (meaning.empty()) return left + "\n";
    const bool beside = left_end + 1 < column;
    const std::string gap =
        beside ? std::string(column - left_end, ' ') : "\n" + std::string(column, ' ');
    std::string right =
        wrapped_line(std::string(column, ' ') + reflowed(meaning), columns_, column);
    return left + gap + right.substr(column) + "\n";
  }

  std::size_t columns_;
};

}  // namespace

std::string wrapped(const std::string& text, std::size_t columns, std::size_t indent) {
  std::string out;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    out += (out.empty() ? "" : "\n") + wrapped_line(line, columns, indent);
  }
  return !text.empty() && text.back() == '\n' ? out + "\n" : out;
}

void fit_help(CLI::App& app, std::size_t columns) {
  const auto* formatter = dynamic_cast<const CLI::Formatter*>(app.get_formatter().get());
  app.formatter(std::make_shared<FittedFormatter>(
      formatter != nullptr ? *formatter : CLI::Formatter(), columns));
  for (CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    fit_help(*command, columns);
  }
}

}  // namespace hanok::training
