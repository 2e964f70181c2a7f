// Draws charts as SVG.
#pragma once

#include <string>

#include "hanok/apps/pages/charts.h"

#pragma GCC visibility push(default)
namespace hanok::pages {

/// An <svg> element with a <title> and a <desc>, whose colours are the page's CSS variables, with
/// light values for a file of its own. Names are escaped. Throws ValueError if lengths differ.
std::string to_svg(const Chart& chart);

/// The chart in a sentence or two for those who do not see it: what is drawn, extremes, last
/// values.
std::string describe(const Chart& chart);

/// The same numbers as a table: a header and rows.
std::vector<std::vector<std::string>> to_rows(const Chart& chart);

}  // namespace hanok::pages
#pragma GCC visibility pop
