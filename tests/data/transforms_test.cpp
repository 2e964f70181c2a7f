#include "hanok/data/transforms.h"

#include <gmock/gmock.h>

#include "hanok/kernels/base/error.h"
#include "tests/data/support.h"

namespace hanok::data {
namespace {

using test::message_of;
using test::noise;
using testing::HasSubstr;

TEST(Preprocess, StretchesOrResizesAndCrops) {
  const Image image = noise("preprocess", 50, 40);
  Preprocessing stretch;
  stretch.image_size = 24;
  EXPECT_EQ(preprocess(image, stretch).pixels, resize(image, 24, 24).pixels);
  Preprocessing cropped = stretch;
  cropped.resize = 32;
  cropped.filter = Filter::Bicubic;
  EXPECT_EQ(preprocess(image, cropped).pixels,
            crop(resize(image, 40, 32, Filter::Bicubic), {8, 4, 24, 24}).pixels);
  EXPECT_EQ(Preprocessing::imagenet().resize, 256);
  EXPECT_EQ(Preprocessing::imagenet().image_size, 224);
}

TEST(Preprocess, RefusesImpossibleSizes) {
  Preprocessing bad;
  bad.image_size = 0;
  EXPECT_THAT(message_of<ValueError>([&] { preprocess(noise("x", 4, 4), bad); }),
              HasSubstr("image_size is 0"));
  bad.image_size = 4;
  bad.resize = -1;
  EXPECT_THROW(preprocess(noise("x", 4, 4), bad), ValueError);
}

}  // namespace
}  // namespace hanok::data
