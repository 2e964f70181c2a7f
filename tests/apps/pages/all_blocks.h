// A page with a block of each kind, and names that try to be markup.
#pragma once

#include <cmath>

#include "hanok/apps/pages/page.h"

namespace hanok::pages {

inline Page all_blocks() {
  const std::string hostile = "<script>alert(1)</script>",
                    quote = "\"><img src=x onerror=alert(1)>";
  Page page{.title = hostile, .subtitle = quote};
  page.blocks.emplace_back(Section{.id = "numbers", .title = hostile});
  page.blocks.emplace_back(Paragraph{.text = quote});
  page.blocks.emplace_back(Paragraph{.text = "finding " + hostile, .tone = Tone::Finding});
  page.blocks.emplace_back(Paragraph{.text = "warning " + hostile, .tone = Tone::Warning});
  page.blocks.emplace_back(Facts{.rows = {{hostile, quote}, {"photographs", "1,874"}}});
  page.blocks.emplace_back(Table{
      .caption = "t " + hostile,
      .columns = {"name", "n"},
      .rows = {{hostile, "700"}, {quote, "80"}, {"\xD7\xA9\xD7\x9C", "9"}, {"bad \xFF", "many"}}});
  page.blocks.emplace_back(Section{.id = "charts", .title = "Charts"});
  page.blocks.emplace_back(Figure{
      .chart =
          LineChart{.title = hostile,
                    .x = {.label = "epoch"},
                    .y = {.label = "loss"},
                    .series = {{.name = hostile,
                                .x = {1, 2, 3},
                                .y = {2, NAN, 1},
                                .low = {1, NAN, 0.5},
                                .high = {3, NAN, 1.5}},
                               {.name = "b", .x = {1, 2, 3}, .y = {1, 1.5, 1}, .dashed = true}},
                    .marks = {{2, quote}}},
      .caption = quote});
  page.blocks.emplace_back(
      Figure{.chart = ScatterChart{.title = "points",
                                   .x = {.label = quote, .logarithmic = true},
                                   .y = {.label = "y"},
                                   .series = {{.name = "s", .x = {1, 10, 1000}, .y = {0, 1, 2}}}}});
  page.blocks.emplace_back(Figure{
      .chart = BarChart{.title = "bars",
                        .categories = {hostile, std::string(200, 'w')},
                        .values = {.label = "macro F1"},
                        .series = {{.values = {0.5, 0.3}, .low = {0.4, 0.2}, .high = {0.6, 0.4}}},
                        .reference = 0.33,
                        .reference_name = "chance"}});
  page.blocks.emplace_back(Figure{.chart = HeatMap{.title = "confusion",
                                                   .row_label = "truth",
                                                   .column_label = "answer",
                                                   .rows = {hostile, quote},
                                                   .columns = {hostile, "b"},
                                                   .values = {{9, 1}, {NAN, 2}}}});
  const data::Image grey{.width = 40, .height = 30, .pixels = std::vector<std::uint8_t>(3600, 120)};
  page.blocks.emplace_back(
      Gallery{.caption = hostile, .tiles = {{thumbnail(grey), quote, {hostile, "p = 0.97"}}}});
  page.blocks.emplace_back(Widget{.html = "<p id=\"w\">w</p>",
                                  .script = "document.getElementById('w').textContent = 'ran';",
                                  .style = "#w { color: inherit; }",
                                  .text = "in the terminal"});
  return page;
}

}  // namespace hanok::pages
