#include "hanok/apps/prediction/terminal_picture.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <fmt/format.h>

namespace hanok::training {
namespace {

constexpr const char* kUpperHalf = "\xE2\x96\x80";  // U+2580
constexpr const char* kReset = "\x1b[0m";

using Color = std::array<int, 3>;  // red, green, blue: 0 to 255

int squared_distance(const Color& a, const Color& b) {
  int sum = 0;
  for (std::size_t c = 0; c < a.size(); ++c) sum += (a[c] - b[c]) * (a[c] - b[c]);
  return sum;
}

/// The nearest of xterm's 256 colours that are the same in every terminal: from 16 on a cube of
/// six levels a channel, from 232 on 24 greys.
int palette_number(const Color& color) {
  constexpr std::array<int, 6> kLevels = {0, 95, 135, 175, 215, 255};
  Color in_cube{};
  int number = 0;
  for (std::size_t c = 0; c < color.size(); ++c) {
    const auto nearest = std::min_element(kLevels.begin(), kLevels.end(), [&](int a, int b) {
      return std::abs(a - color[c]) < std::abs(b - color[c]);
    });
    in_cube[c] = *nearest;
    number = 6 * number + static_cast<int>(nearest - kLevels.begin());
  }
  const int mean = (color[0] + color[1] + color[2]) / 3;
  const int grey = std::clamp((mean - 3) / 10, 0, 23);
  const int value = 8 + 10 * grey;
  const bool is_grey =
      squared_distance(color, {value, value, value}) < squared_distance(color, in_cube);
  return is_grey ? 232 + grey : 16 + number;
}

/// What follows 38 or 48 in the sequence that sets a colour.
std::string code_of(const Color& color, TextColors colors) {
  if (colors == TextColors::Palette256) return fmt::format("5;{}", palette_number(color));
  return fmt::format("2;{};{};{}", color[0], color[1], color[2]);
}

Color color_at(const data::Image& picture, int x, int y) {
  const std::uint8_t* pixel = picture.row(y) + std::ptrdiff_t{3} * x;
  return {pixel[0], pixel[1], pixel[2]};
}

/// The pixels of rows `y` and `y` + 1; blanks below the picture.
std::string line_of(const data::Image& picture, int y, TextColors colors) {
  if (y >= picture.height) return std::string(static_cast<std::size_t>(picture.width), ' ');
  std::string line;
  for (int x = 0; x < picture.width; ++x) {
    line += "\x1b[38;" + code_of(color_at(picture, x, y), colors);
    line += y + 1 < picture.height ? ";48;" + code_of(color_at(picture, x, y + 1), colors) : ";49";
    line += std::string("m") + kUpperHalf;
  }
  return line + kReset;
}

}  // namespace

std::string terminal_text(const std::vector<data::Image>& pictures, TextColors colors, int indent) {
  if (colors == TextColors::None) return {};
  int height = 0;
  for (const data::Image& picture : pictures) height = std::max(height, picture.height);
  std::string text;
  for (int y = 0; y < height; y += 2) {
    text += std::string(static_cast<std::size_t>(indent), ' ');
    for (std::size_t i = 0; i < pictures.size(); ++i) {
      if (i > 0) text += std::string(kTerminalGap, ' ');
      text += line_of(pictures[i], y, colors);
    }
    text += '\n';
  }
  return text;
}

}  // namespace hanok::training
