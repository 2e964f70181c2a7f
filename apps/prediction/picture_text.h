// Letters, bars and pictures on a picture: for sheets that programs write as PNG.
#pragma once

#include <cstdint>
#include <string>

#include "hanok/data/image.h"

#pragma GCC visibility push(default)
namespace hanok::training {

struct PaintColor {
  std::uint8_t red = 0, green = 0, blue = 0;
};

/// A picture of one colour.
data::Image plain_picture(int width, int height, PaintColor color);

/// Fills the part of `rectangle` that lies in the picture.
void fill_rectangle(data::Image& picture, const data::Rectangle& rectangle, PaintColor color);

/// Copies `image` with its upper left corner to (x, y), as far as it lies in the picture.
void paste(data::Image& picture, const data::Image& image, int x, int y);

struct TextStyle {
  PaintColor color{};
  int scale = 2;  // pixels a dot; a letter is 5 x 7 dots
};
/// Writes one line with its upper left corner at (x, y). Characters beyond ASCII, each of them
/// however many bytes it has, become '?'.
void write_text(data::Image& picture, const std::string& text, int x, int y,
                const TextStyle& style);
/// Pixels from one letter to the next, and the height of a letter.
int letter_width(const TextStyle& style);
int letter_height(const TextStyle& style);
/// The text if it fits into `width` pixels, else its beginning and "..", or its end after "..".
enum class KeepPart { Beginning, End };
std::string fitting_text(const std::string& text, int width, const TextStyle& style, KeepPart part);

}  // namespace hanok::training
#pragma GCC visibility pop
