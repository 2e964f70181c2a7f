// Pictures as text of a colour terminal.
#pragma once

#include <string>
#include <vector>

#include "hanok/apps/cli/reporter.h"
#include "hanok/data/image.h"

#pragma GCC visibility push(default)
namespace hanok::training {

/// Columns between two pictures.
constexpr int kTerminalGap = 2;

/// The pictures side by side, their upper edges in line, as lines of UTF-8. A character is two
/// pixels, one above the other: the upper half block in the upper pixel's colour, on a background
/// of the lower one's. So a picture is as many columns wide as it has pixels, and half as many
/// lines high. Every line starts with `indent` blanks, and ends with the terminal's own colours.
/// Empty for no colours.
std::string terminal_text(const std::vector<data::Image>& pictures, TextColors colors, int indent);

}  // namespace hanok::training
#pragma GCC visibility pop
