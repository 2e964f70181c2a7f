#include "hanok/apps/pages/picture_sheet.h"

#include <algorithm>
#include <fmt/format.h>

#include "hanok/kernels/base/error.h"

namespace hanok::pages {

PictureSheet::PictureSheet(const Layout& layout) : layout_(layout) {
  sheet_.width = kGap + layout.columns * (layout.width + kGap);
  sheet_.height = kGap + layout.rows * (layout.height + kGap);
  sheet_.pixels.assign(std::size_t{3} * sheet_.width * sheet_.height, 255);
}

void PictureSheet::set(int column, int row, const data::Image& picture) {
  const bool there = column >= 0 && column < layout_.columns && row >= 0 && row < layout_.rows;
  if (!there || picture.width != layout_.width || picture.height != layout_.height) {
    throw ValueError(fmt::format(
        "picture_sheet: {}x{} pixels in column {}, row {} of a sheet with {} columns and {} rows "
        "of {}x{} pixels",
        picture.width, picture.height, column, row, layout_.columns, layout_.rows, layout_.width,
        layout_.height));
  }
  const int x = kGap + column * (layout_.width + kGap);
  const int y = kGap + row * (layout_.height + kGap);
  for (int line = 0; line < picture.height; ++line) {
    std::copy_n(picture.row(line), std::size_t{3} * picture.width,
                sheet_.row(y + line) + std::size_t{3} * x);
  }
}

}  // namespace hanok::pages
