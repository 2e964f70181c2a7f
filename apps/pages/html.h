// Pages as HTML.
#pragma once

#include <string>

#include "hanok/apps/pages/page.h"

#pragma GCC visibility push(default)
namespace hanok::pages {

/// Text for HTML and attributes: & < > " ' as entities; bytes that are no UTF-8 and control
/// characters as U+FFFD.
std::string escape(const std::string& text);

/// An <img> with the picture in it, for Widgets; `name` is its text.
std::string image_element(const Picture& picture, const std::string& name);

/// One file: styles (light, dark, print), pictures and scripts are in it, and a policy forbids it
/// to load anything. A table of contents from the sections; tables can be sorted by keyboard.
std::string to_html(const Page& page);

/// Writes it (run/files.h). Throws IoError; ValueError if it is larger than kMostPageBytes.
void write_page(const std::string& path, const Page& page);

constexpr std::size_t kMostPageBytes = std::size_t{25} * 1024 * 1024;

}  // namespace hanok::pages
#pragma GCC visibility pop
