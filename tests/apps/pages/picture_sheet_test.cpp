#include "hanok/apps/pages/picture_sheet.h"

#include <gtest/gtest.h>

#include "hanok/kernels/base/error.h"

namespace hanok::pages {
namespace {

data::Image grey(int width, int height, std::uint8_t value) {
  data::Image image{.width = width, .height = height, .pixels = {}};
  image.pixels.assign(std::size_t{3} * width * height, value);
  return image;
}

TEST(PictureSheet, HasEachPictureInItsPlaceAndWhiteAround) {
  PictureSheet sheet({.columns = 2, .rows = 2, .width = 3, .height = 2});
  sheet.set(1, 0, grey(3, 2, 7));
  const data::Image& picture = sheet.picture();
  EXPECT_EQ(picture.width, 4 + 2 * 7);
  EXPECT_EQ(picture.height, 4 + 2 * 6);
  int dark = 0;
  for (int y = 0; y < picture.height; ++y) {
    for (int x = 0; x < picture.width; ++x) {
      const bool inside = x >= 11 && x < 14 && y >= 4 && y < 6;
      EXPECT_EQ(picture.row(y)[3 * x], inside ? 7 : 255) << x << ", " << y;
      dark += inside ? 1 : 0;
    }
  }
  EXPECT_EQ(dark, 6);
}

TEST(PictureSheet, RefusesOtherSizesAndPlaces) {
  PictureSheet sheet({.columns = 2, .rows = 1, .width = 3, .height = 2});
  EXPECT_THROW(sheet.set(0, 0, grey(2, 3, 0)), ValueError);
  EXPECT_THROW(sheet.set(2, 0, grey(3, 2, 0)), ValueError);
  EXPECT_THROW(sheet.set(0, 1, grey(3, 2, 0)), ValueError);
  EXPECT_THROW(sheet.set(-1, 0, grey(3, 2, 0)), ValueError);
}

}  // namespace
}  // namespace hanok::pages
