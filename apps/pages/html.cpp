#include "hanok/apps/pages/html.h"

#include <algorithm>
#include <fmt/format.h>
#include <hanok/version.h>  // made by CMake
#include <string_view>
#include <type_traits>

#include "hanok/apps/pages/html_parts.h"
#include "hanok/apps/pages/svg_charts.h"
#include "hanok/apps/pages/utf8.h"
#include "hanok/apps/run/files.h"
#include "hanok/kernels/base/error.h"

namespace hanok::pages {
namespace {

constexpr const char* kReplacement = "\xEF\xBF\xBD";  // U+FFFD

std::string base64(const std::vector<std::uint8_t>& bytes) {
  static constexpr char digits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t left = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t word = 0;
    for (std::size_t k = 0; k < 3; ++k) word = word << 8 | (k < left ? bytes[i + k] : 0U);
    for (std::size_t k = 0; k < 4; ++k) {
      out += k <= left ? digits[word >> (18 - 6 * k) & 63] : '=';
    }
  }
  return out;
}

/// A name of a file or class within text of another direction stays as it is.
std::string isolated(const std::string& text) {
  const bool ascii = std::all_of(text.begin(), text.end(),
                                 [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  return ascii ? escape(text) : "<bdi>" + escape(text) + "</bdi>";
}

/// Where the command in backticks that begins at `at` ends; npos: no command begins there, and the
/// backtick is part of a name.
std::size_t end_of_command(const std::string& text, std::size_t at) {
  if (text[at] != '`' || (at > 0 && text[at - 1] != ' ' && text[at - 1] != '(')) {
    return std::string::npos;
  }
  const std::size_t end = text.find('`', at + 1);
  if (end == std::string::npos || end == at + 1) return std::string::npos;
  const bool closes =
      end + 1 == text.size() || std::string_view(" .,;:)").find(text[end + 1]) != std::string::npos;
  return closes ? end : std::string::npos;
}

/// Where the option ("--crop") that begins at `at` ends; `at` if none does.
std::size_t end_of_option(const std::string& text, std::size_t at) {
  if (text.compare(at, 2, "--") != 0 || (at > 0 && text[at - 1] != ' ')) return at;
  const std::size_t end =
      std::min(text.find_first_not_of("abcdefghijklmnopqrstuvwxyz-", at), text.size());
  return end > at + 2 ? end : at;
}

/// A sentence: options are not broken at their hyphens.
std::string with_options(const std::string& text) {
  std::string out;
  std::size_t plain = 0;  // where the text begins that is not written yet
  for (std::size_t at = text.find("--"); at != std::string::npos;) {
    const std::size_t end = end_of_option(text, at);
    if (end > at) {
      out += escape(text.substr(plain, at - plain)) + "<span class=\"option\">" +
             escape(text.substr(at, end - at)) + "</span>";
      plain = end;
    }
    at = text.find("--", std::max(end, at + 2));
  }
  return out + escape(text.substr(plain));
}

/// A paragraph's text: what stands in backticks is a command.
std::string prose(const std::string& text) {
  std::string out;
  std::size_t plain = 0;
  for (std::size_t at = text.find('`'); at != std::string::npos;) {
    const std::size_t end = end_of_command(text, at);
    if (end != std::string::npos) {
      out += with_options(text.substr(plain, at - plain)) + "<code>" +
             with_options(text.substr(at + 1, end - at - 1)) + "</code>";
      plain = end + 1;
    }
    at = text.find('`', end == std::string::npos ? at + 1 : end + 1);
  }
  return out + with_options(text.substr(plain));
}

class HtmlWriter {
 public:
  explicit HtmlWriter(const Page& page) : page_(page) {}
  std::string write();

 private:
  std::string head() const;
  std::string contents() const;
  static std::string widgets(const Page& page, std::string Widget::*part);

  void add(const Section& section);
  void add(const Paragraph& paragraph);
  void add(const Facts& facts);
  void add(const Table& table);
  void add(const Figure& figure);
  void add(const Gallery& gallery);
  void add(const Widget& widget);

  std::string rows(const Table& table, std::size_t begin, std::size_t end) const;
  std::string whole(const Table& table, const std::string& caption, std::size_t begin,
                    std::size_t end) const;

  const Page& page_;
  std::string out_;
  bool in_section_ = false;
};

std::string HtmlWriter::widgets(const Page& page, std::string Widget::*part) {
  std::string all;
  for (const Block& block : page.blocks) {
    if (const auto* widget = std::get_if<Widget>(&block)) all += widget->*part;
  }
  return all;
}

std::string HtmlWriter::head() const {
  std::string refresh;
  if (page_.refresh_seconds > 0) {
    refresh = fmt::format("<meta http-equiv=\"refresh\" content=\"{}\">\n", page_.refresh_seconds);
  }
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data: "
      "blob:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; form-action "
      "'none'\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta name=\"generator\" content=\"hanok {}\">\n{}"
      "<link rel=\"icon\" href=\"data:,\">\n"
      "<title>{}</title>\n<style>{}{}</style>\n</head>\n",
      kVersion, refresh, escape(page_.title), kPageStyle, widgets(page_, &Widget::style));
}

std::string HtmlWriter::contents() const {
  std::string items;
  for (const Block& block : page_.blocks) {
    if (const auto* section = std::get_if<Section>(&block)) {
      items += fmt::format("<li><a href=\"#{}\">{}</a></li>\n", escape(section->id),
                           isolated(section->title));
    }
  }
  if (items.empty()) return "";
  return "<nav aria-label=\"Contents\">\n<ul>\n" + items + "</ul>\n</nav>\n";
}

void HtmlWriter::add(const Section& section) {
  if (in_section_) out_ += "</section>\n";
  in_section_ = true;
  out_ += fmt::format("<section aria-labelledby=\"{0}\">\n<h2 id=\"{0}\">{1}</h2>\n",
                      escape(section.id), isolated(section.title));
}

void HtmlWriter::add(const Paragraph& paragraph) {
  const char* tone = paragraph.tone == Tone::Finding   ? " class=\"finding\""
                     : paragraph.tone == Tone::Warning ? " class=\"warning\""
                                                       : "";
  const char* label = paragraph.tone == Tone::Warning ? "<strong>Warning:</strong> " : "";
  out_ += fmt::format("<p{}>{}{}</p>\n", tone, label, prose(paragraph.text));
}

void HtmlWriter::add(const Facts& facts) {
  out_ += "<dl>\n";
  for (const auto& [name, value] : facts.rows) {
    out_ += fmt::format("<dt>{}</dt><dd>{}</dd>\n", isolated(name), isolated(value));
  }
  out_ += "</dl>\n";
}

bool is_text(const Table& table, std::size_t column) {
  return column == 0 || std::find(table.text_columns.begin(), table.text_columns.end(), column) !=
                            table.text_columns.end();
}

std::string HtmlWriter::rows(const Table& table, std::size_t begin, std::size_t end) const {
  std::string out;
  for (std::size_t r = begin; r < end; ++r) {
    out += "<tr>";
    for (std::size_t c = 0; c < table.rows[r].size(); ++c) {
      const std::string cell = isolated(table.rows[r][c]);
      if (c == 0) {
        out += "<th scope=\"row\">" + cell + "</th>";
      } else {
        out += (is_text(table, c) ? "<td class=\"text\">" : "<td>") + cell + "</td>";
      }
    }
    out += "</tr>\n";
  }
  return out;
}

std::string HtmlWriter::whole(const Table& table, const std::string& caption, std::size_t begin,
                              std::size_t end) const {
  std::string columns;
  const bool sortable = end - begin > 2;
  for (std::size_t c = 0; c < table.columns.size(); ++c) {
    const std::string name = isolated(table.columns[c]);
    const char* kind = is_text(table, c) ? " class=\"text\"" : "";
    columns += sortable && !table.columns[c].empty()
                   ? fmt::format(
                         "<th scope=\"col\"{} aria-sort=\"none\"><button "
                         "type=\"button\">{}</button></th>",
                         kind, name)
                   : fmt::format("<th scope=\"col\"{}>{}</th>", kind, name);
  }
  return fmt::format(
      "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{0}\"><table{1}>{2}\n"
      "<thead><tr>{3}</tr></thead>\n<tbody>\n{4}</tbody></table></div>\n",
      escape(table.caption.empty() ? "Table" : table.caption),
      sortable ? " class=\"sortable\"" : "",
      caption.empty() ? "" : "<caption>" + escape(caption) + "</caption>", columns,
      rows(table, begin, end));
}

void HtmlWriter::add(const Table& table) {
  for (const auto& row : table.rows) {
    if (row.size() != table.columns.size()) {
      throw ValueError(fmt::format("table '{}': a row has {} cells, the header {}", table.caption,
                                   row.size(), table.columns.size()));
    }
  }
  const std::size_t written = std::min(table.most, table.rows.size());
  const std::size_t shown = std::min(table.shown, written);
  out_ += whole(table, table.caption, 0, shown);
  if (shown < written) {
    out_ += fmt::format("<details><summary>{} more rows</summary>\n{}</details>\n", written - shown,
                        whole(table, "", shown, written));
  }
  const std::size_t left_out = table.rows.size() - written;
  if (left_out > 0) {
    add(Paragraph{fmt::format("{} of the {} rows are not on this page{}{}.", left_out,
                              table.rows.size(), table.where_all.empty() ? "" : ": ",
                              table.where_all)});
  }
}

void HtmlWriter::add(const Figure& figure) {
  const std::string title = std::visit([](const auto& chart) { return chart.title; }, figure.chart);
  out_ += fmt::format(
      "<figure>\n<figcaption>{}<small>{}</small></figcaption>\n<div class=\"chart\">{}</div>\n",
      escape(title), prose(figure.caption), to_svg(figure.chart));
  std::vector<std::vector<std::string>> numbers = to_rows(figure.chart);
  Table table{.caption = title, .columns = numbers.front(), .shown = numbers.size()};
  table.rows.assign(numbers.begin() + 1, numbers.end());
  out_ +=
      fmt::format("<details><summary>The numbers</summary>\n<p>{}</p>\n{}</details>\n</figure>\n",
                  escape(describe(figure.chart)), whole(table, "", 0, table.rows.size()));
}

void HtmlWriter::add(const Gallery& gallery) {
  if (!gallery.caption.empty()) {
    out_ += fmt::format("<p><strong>{}</strong></p>\n", escape(gallery.caption));
  }
  out_ += "<ul class=\"gallery\">\n";
  for (const Tile& tile : gallery.tiles) {
    const int width = std::max(tile.picture.width, 96);
    out_ += fmt::format("<li style=\"width:{}px\">{}", width + 12,
                        image_element(tile.picture, tile.title));
    if (!tile.title.empty()) out_ += "<b>" + isolated(tile.title) + "</b>";
    for (std::size_t i = 0; i < tile.lines.size(); ++i) {
      out_ += (i == 0 ? "" : "<br>") + isolated(tile.lines[i]);
    }
    out_ += "</li>\n";
  }
  out_ += "</ul>\n";
}

void HtmlWriter::add(const Widget& widget) { out_ += widget.html; }

std::string HtmlWriter::write() {
  out_ = head();
  out_ += fmt::format(
      "<body>\n<a class=\"skip\" href=\"#content\">Skip to the "
      "content</a>\n<header>\n<h1>{}</h1>\n",
      isolated(page_.title));
  if (!page_.subtitle.empty()) {
    out_ += fmt::format("<p class=\"subtitle\">{}</p>\n", isolated(page_.subtitle));
  }
  out_ += contents() + "</header>\n<main id=\"content\">\n";
  for (const Block& block : page_.blocks) {
    std::visit([this](const auto& kind) { add(kind); }, block);
  }
  if (in_section_) out_ += "</section>\n";
  out_ += fmt::format(
      "</main>\n<footer>Made by hanok {}.</footer>\n<script>{}{}</script>\n</body>\n</html>\n",
      kVersion, kPageScript, widgets(page_, &Widget::script));
  return std::move(out_);
}

}  // namespace

std::string escape(const std::string& text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = character_length(text, i);
    const char c = text[i];
    if (length == 0) {
      out += kReplacement;
      ++i;
      continue;
    }
    if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (c == '"') {
      out += "&quot;";
    } else if (c == '\'') {
      out += "&#39;";
    } else if (length == 1 && (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) && c != '\n' &&
               c != '\t') {
      out += kReplacement;
    } else {
      out.append(text, i, length);
    }
    i += length;
  }
  return out;
}

std::string image_element(const Picture& picture, const std::string& name) {
  return fmt::format("<img src=\"data:{};base64,{}\" width=\"{}\" height=\"{}\" alt=\"{}\">",
                     escape(picture.mime), base64(picture.bytes), picture.width, picture.height,
                     escape(name));
}

std::string to_html(const Page& page) { return HtmlWriter(page).write(); }

void write_page(const std::string& path, const Page& page) {
  const std::string html = to_html(page);
  if (html.size() > kMostPageBytes) {
    throw ValueError(fmt::format("{}: the page would have {:.1f} MiB, more than {} MiB", path,
                                 static_cast<double>(html.size()) / (1024 * 1024),
                                 kMostPageBytes / (1024 * 1024)));
  }
  training::write_file(path, html);
}

}  // namespace hanok::pages
