// Pages as plain text: what the terminal shows beside a page.
#pragma once

#include <string>

#include "hanok/apps/pages/page.h"

#pragma GCC visibility push(default)
namespace hanok::pages {

/// Sections with underlined titles, tables in columns, charts as their description, galleries as a
/// list of titles and lines. Lines are at most `width` columns where words allow it.
std::string to_text(const Page& page, std::size_t width = 100);

}  // namespace hanok::pages
#pragma GCC visibility pop
