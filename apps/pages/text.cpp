#include "hanok/apps/pages/text.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "hanok/apps/pages/svg_canvas.h"
#include "hanok/apps/pages/svg_charts.h"
#include "hanok/apps/pages/utf8.h"

namespace hanok::pages {
namespace {

std::string padded(const std::string& text, std::size_t width, bool right) {
  const std::size_t used = characters(text);
  const std::string blanks(width > used ? width - used : 0, ' ');
  return right ? blanks + text : text + blanks;
}

/// Words in lines of at most `width` columns, each beginning with `indent`.
std::string wrapped(const std::string& text, std::size_t width, const std::string& indent = "") {
  std::string out, line = indent, word;
  const auto take = [&] {
    if (word.empty()) return;
    if (characters(line) > indent.size() && characters(line) + 1 + characters(word) > width) {
      out += line + "\n";
      line = indent;
    }
    line += (line.size() > indent.size() ? " " : "") + word;
    word.clear();
  };
  for (const char c : text) {
    if (c == ' ' || c == '\n') {
      take();
    } else {
      word += c;
    }
  }
  take();
  return out + line + "\n";
}

class TextWriter {
 public:
  explicit TextWriter(std::size_t width) : width_(width) {}
  std::string write(const Page& page) {
    out_ = page.title + "\n" + std::string(std::min(characters(page.title), width_), '=') + "\n";
    if (!page.subtitle.empty()) out_ += wrapped(page.subtitle, width_);
    for (const Block& block : page.blocks) {
      std::visit([this](const auto& kind) { add(kind); }, block);
    }
    return std::move(out_);
  }

 private:
  void add(const Section& section) {
    out_ += "\n" + section.title + "\n" + std::string(characters(section.title), '-') + "\n";
  }
  void add(const Paragraph& paragraph) {
    out_ += wrapped((paragraph.tone == Tone::Warning ? "warning: " : "") + paragraph.text, width_);
  }
  void add(const Facts& facts) {
    std::size_t names = 0;
    for (const auto& [name, value] : facts.rows) names = std::max(names, characters(name));
    for (const auto& [name, value] : facts.rows) {
      out_ += "  " + padded(name, names, false) + "  " + value + "\n";
    }
  }
  void add(const Table& table) {
    if (!table.caption.empty()) out_ += wrapped(table.caption, width_);
    std::vector<std::size_t> widths;
    for (const std::string& name : table.columns) widths.push_back(characters(name));
    const std::size_t shown = std::min(table.shown, table.rows.size());
    for (std::size_t r = 0; r < shown; ++r) {
      for (std::size_t c = 0; c < widths.size() && c < table.rows[r].size(); ++c) {
        widths[c] = std::max(widths[c], characters(table.rows[r][c]));
      }
    }
    const auto line = [&](const std::vector<std::string>& cells) {
      std::string text = " ";
      for (std::size_t c = 0; c < cells.size() && c < widths.size(); ++c) {
        const bool left = c == 0 || std::find(table.text_columns.begin(), table.text_columns.end(),
                                              c) != table.text_columns.end();
        text += " " + padded(cells[c], widths[c], !left);
      }
      out_ += text.substr(0, text.find_last_not_of(' ') + 1) + "\n";
    };
    line(table.columns);
    for (std::size_t r = 0; r < shown; ++r) line(table.rows[r]);
    if (shown < table.rows.size()) {
      out_ += fmt::format("  and {} more{}{}\n", table.rows.size() - shown,
                          table.where_all.empty() ? "" : ": ", table.where_all);
    }
  }
  void add(const Figure& figure) {
    out_ +=
        wrapped(std::visit([](const auto& chart) { return chart.title; }, figure.chart), width_);
    if (const auto* bars = std::get_if<BarChart>(&figure.chart)) {
      add(*bars);
    } else if (std::holds_alternative<HeatMap>(figure.chart) &&
               std::get<HeatMap>(figure.chart).show_numbers &&
               to_rows(figure.chart)[0].size() <= 12) {
      const std::vector<std::vector<std::string>> rows = to_rows(figure.chart);
      Table table{.columns = rows[0]};
      table.rows.assign(rows.begin() + 1, rows.end());
      add(table);
    } else {
      out_ += wrapped(describe(figure.chart), width_, "  ");
    }
  }
  void add(const BarChart& chart) {
    std::size_t names = 0;
    double most = std::isfinite(chart.reference) ? chart.reference : 0;
    const auto label = [&](std::size_t c, const BarChart::Bars& bars) {
      return chart.categories[c] + (bars.name.empty() ? "" : ", " + bars.name);
    };
    for (const BarChart::Bars& bars : chart.series) {
      for (std::size_t c = 0; c < chart.categories.size(); ++c) {
        names = std::max(names, characters(label(c, bars)));
        if (std::isfinite(bars.values[c])) most = std::max(most, std::abs(bars.values[c]));
      }
    }
    for (std::size_t c = 0; c < chart.categories.size(); ++c) {
      for (const BarChart::Bars& bars : chart.series) {
        const double value = bars.values[c];
        const double share = std::isfinite(value) && most > 0 ? std::abs(value) / most : 0;
        out_ += fmt::format("  {}  {:>9} {}\n", padded(label(c, bars), names, false),
                            short_number(value),
                            std::string(static_cast<std::size_t>(std::lround(30 * share)), '#'));
      }
    }
    if (std::isfinite(chart.reference)) {
      out_ += fmt::format("  {}  {:>9}\n", padded(chart.reference_name, names, false),
                          short_number(chart.reference));
    }
  }
  void add(const Gallery& gallery) {
    constexpr std::size_t kShown = 12;
    if (!gallery.caption.empty()) out_ += wrapped(gallery.caption, width_);
    for (std::size_t i = 0; i < gallery.tiles.size() && i < kShown; ++i) {
      const Tile& tile = gallery.tiles[i];
      std::string lines;
      for (const std::string& line : tile.lines) lines += (lines.empty() ? "" : ", ") + line;
      out_ += "  " + tile.title + (lines.empty() ? "" : ": " + lines) + "\n";
    }
    if (gallery.tiles.size() > kShown) {
      out_ += fmt::format("  and {} more\n", gallery.tiles.size() - kShown);
    }
  }
  void add(const Widget& widget) {
    if (widget.text.empty()) return;
    out_ += widget.text + (widget.text.back() == '\n' ? "" : "\n");
  }

  std::size_t width_;
  std::string out_;
};

}  // namespace

std::string to_text(const Page& page, std::size_t width) { return TextWriter(width).write(page); }

}  // namespace hanok::pages
