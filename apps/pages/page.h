// A page to look at: a list of blocks, written as one HTML file that needs nothing else (html.h)
// and as plain text for a terminal (text.h). Everything in a block is text, and escaped where it is
// written; only a Widget holds HTML.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "hanok/apps/pages/charts.h"
#include "hanok/data/image.h"

#pragma GCC visibility push(default)
namespace hanok::pages {

/// Begins a section; `id` is its anchor, unique in the page ("shortcuts").
struct Section {
  std::string id{}, title{};
};

enum class Tone { Plain, Finding, Warning };
/// A paragraph. A Finding is a sentence that answers a question; a Warning wants action. What
/// stands in `backticks` is a command.
struct Paragraph {
  std::string text{};
  Tone tone = Tone::Plain;
};

/// Names and values, one a line.
struct Facts {
  std::vector<std::pair<std::string, std::string>> rows{};
};

struct Table {
  std::string caption{};
  std::vector<std::string> columns{};
  std::vector<std::vector<std::string>> rows{};
  /// The first column names the row; the others are numbers and stand to the right, unless in
  /// `text_columns`.
  std::vector<std::size_t> text_columns{};
  /// Rows beyond these are folded away on the page, and counted on the terminal.
  std::size_t shown = 30;
  /// A page leaves out the rows beyond these, so that it stays small for any number of them.
  std::size_t most = 1000;
  /// Where all rows are, said where some are left out: "`inspect data` with --all lists them".
  std::string where_all{};
};

/// A chart with its description and its numbers as a table, which is folded away.
struct Figure {
  Chart chart{};
  std::string caption{};
};

/// An encoded picture that is embedded in the page.
struct Picture {
  std::vector<std::uint8_t> bytes{};
  std::string mime{};  // "image/jpeg", "image/png"
  int width = 0, height = 0;
};
/// The image scaled so that its longer side is `side` at most, as JPEG.
Picture thumbnail(const data::Image& image, int side = 96, int quality = 80);
/// Without scaling and loss.
Picture lossless(const data::Image& image);

/// One picture of a gallery.
struct Tile {
  Picture picture{};
  std::string title{};               // the file's name; also read to those who do not see it
  std::vector<std::string> lines{};  // below it: "label: worn", "p = 0.97"
};
/// Pictures in rows: a contact sheet, the worst photographs.
struct Gallery {
  std::string caption{};
  std::vector<Tile> tiles{};
};

/// Parts of a page that do something: HTML that its author has escaped, a script and a style for
/// it, and what the terminal shows in its place. The script may not fetch anything.
struct Widget {
  std::string html{}, script{}, style{}, text{};
};

using Block = std::variant<Section, Paragraph, Facts, Table, Figure, Gallery, Widget>;

struct Page {
  std::string title{}, subtitle{};
  std::vector<Block> blocks{};
  /// Seconds after which a browser loads the file anew: a run that is still training. 0: never.
  int refresh_seconds = 0;
};

}  // namespace hanok::pages
#pragma GCC visibility pop
