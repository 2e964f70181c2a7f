#include <gmock/gmock.h>
#include <set>

#include "data/transforms.h"
#include "kernels/base/error.h"
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
            crop(resize(image, 40, 32, Filter::Bicubic), 8, 4, 24, 24).pixels);
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

TEST(Augment, ParsesItsNames) {
  EXPECT_EQ(parse_augment("none"), Augment::None);
  EXPECT_EQ(parse_augment("light"), Augment::Light);
  EXPECT_THAT(message_of<ValueError>([] { parse_augment("heavy"); }),
              HasSubstr("unknown augmentation 'heavy' (known: none, light"));
}

TEST(Augment, NoneChangesNothing) {
  const Image image = noise("none", 8, 8);
  EXPECT_EQ(augment(image, Augment::None, 1, 2, 3).pixels, image.pixels);
}

/// The image, flipped or not, moved by (dx, dy) with black coming in.
Image expected_light(const Image& image, bool flip, int dx, int dy) {
  const Image source = flip ? flip_horizontal(image) : image;
  Image result{image.width, image.height, std::vector<std::uint8_t>(image.pixels.size())};
  for (int y = 0; y < image.height; ++y)
    for (int x = 0; x < image.width; ++x)
      for (int c = 0; c < 3; ++c)
        if (x - dx >= 0 && x - dx < image.width && y - dy >= 0 && y - dy < image.height)
          result.row(y)[3 * x + c] = source.row(y - dy)[3 * (x - dx) + c];
  return result;
}

TEST(Augment, LightFlipsAndShiftsByUpToASixteenth) {
  const Image image = noise("light", 32, 48);
  std::set<std::tuple<bool, int, int>> seen;
  for (int sample = 0; sample < 600; ++sample) {
    const Image result = augment(image, Augment::Light, 1, 0, sample);
    bool found = false;
    for (const bool flip : {false, true})
      for (int dx = -2; dx <= 2; ++dx)
        for (int dy = -3; dy <= 3; ++dy)
          if (result.pixels == expected_light(image, flip, dx, dy).pixels)
            found = seen.emplace(flip, dx, dy).second || true;
    ASSERT_TRUE(found) << sample;
  }
  EXPECT_GT(seen.size(), 66U);  // of 2 x 5 x 7; each missing has a chance of (69/70)^600
}

TEST(Augment, IsAFunctionOfSeedEpochAndSample) {
  const Image image = noise("function", 64, 64);
  const auto result = [&](std::uint64_t seed, std::int64_t epoch, std::int64_t sample) {
    return augment(image, Augment::Light, seed, epoch, sample).pixels;
  };
  const auto first = result(1, 2, 3);
  EXPECT_EQ(first, result(1, 2, 3));
  int same = 0;
  for (int i = 0; i < 20; ++i)
    same += (first == result(1, 10 + i, 3)) + (first == result(1, 2, 10 + i)) +
            (first == result(10 + static_cast<std::uint64_t>(i), 2, 3));
  EXPECT_LE(same, 4);  // of 60, one in 162 by chance
}

}  // namespace
}  // namespace hanok::data
