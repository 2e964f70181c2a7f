// The style and the script that every page has.
#pragma once

namespace hanok::pages {

extern const char* const kPageStyle;
/// Sorts tables by the buttons in their headers, and opens what is folded before printing.
extern const char* const kPageScript;

}  // namespace hanok::pages
