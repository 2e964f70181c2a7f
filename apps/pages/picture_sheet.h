// Pictures of one size in rows and columns, as one picture.
#pragma once

#include "hanok/data/image.h"

#pragma GCC visibility push(default)
namespace hanok::pages {

class PictureSheet {
 public:
  static constexpr int kGap = 4;  // white pixels around each picture
  struct Layout {
    int columns = 0, rows = 0;
    int width = 0, height = 0;  // pixels of each picture
  };
  explicit PictureSheet(const Layout& layout);
  /// Places that are never set stay white. Throws ValueError for another size or place.
  void set(int column, int row, const data::Image& picture);
  const data::Image& picture() const { return sheet_; }

 private:
  Layout layout_;
  data::Image sheet_;
};

}  // namespace hanok::pages
#pragma GCC visibility pop
