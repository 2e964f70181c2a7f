// Distributions of random transforms: ranges and spread; and that they depend only on (seed, epoch,
// sample).
#include "hanok/data/augment.h"

#include <gmock/gmock.h>
#include <set>

#include "hanok/data/adjust.h"
#include "hanok/kernels/base/error.h"
#include "tests/data/support.h"

namespace hanok::data {
namespace {

using test::message_of;
using test::noise;
using testing::HasSubstr;

/// Pixels as a string, which can be ordered and compared.
std::string bytes(const Image& image) { return {image.pixels.begin(), image.pixels.end()}; }

RandomDraws draws(std::int64_t place) { return {1, RandomStream::Test, place, 0}; }

TEST(RandomCrop, StaysInsideAndWithinItsRanges) {
  double smallest = 1, largest = 0, narrowest = 9, widest = 0;
  for (int i = 0; i < 3000; ++i) {
    RandomDraws random = draws(i);
    const Rectangle r = random_crop(200, 150, {0.2F, 0.9F}, {0.75F, 1.3333F}, random);
    ASSERT_GE(std::min(r.x, r.y), 0);
    ASSERT_LE(r.x + r.width, 200);
    ASSERT_LE(r.y + r.height, 150);
    const double area = r.width * r.height / (200.0 * 150.0);
    const double ratio = r.width / static_cast<double>(r.height);
    smallest = std::min(smallest, area);
    largest = std::max(largest, area);
    narrowest = std::min(narrowest, ratio);
    widest = std::max(widest, ratio);
  }
  EXPECT_NEAR(smallest, 0.2, 0.01);
  EXPECT_NEAR(largest, 0.9, 0.03);
  EXPECT_NEAR(narrowest, 0.75, 0.02);
  EXPECT_NEAR(widest, 1.333, 0.02);
}

// A crop of the whole area with a different aspect ratio never fits: torchvision then uses the
// centre.
TEST(RandomCrop, FallsBackToTheCentre) {
  RandomDraws random = draws(0);
  const Rectangle wide = random_crop(300, 100, {1, 1}, {0.75F, 1.5F}, random);
  EXPECT_EQ(wide.width, 150);
  EXPECT_EQ(wide.height, 100);
  EXPECT_EQ(wide.x, 75);
  const Rectangle tall = random_crop(90, 300, {1, 1}, {0.75F, 1.5F}, random);
  EXPECT_EQ(tall.height, 120);
  EXPECT_EQ(tall.y, 90);
}

TEST(RandomCrop, RefusesImpossibleRanges) {
  RandomDraws random = draws(0);
  for (const std::array<float, 2> area : {std::array<float, 2>{0, 1}, {0.5F, 1.1F}, {0.9F, 0.1F}}) {
    EXPECT_THROW(random_crop(9, 9, area, {1, 1}, random), ValueError);
  }
  EXPECT_THAT(message_of<ValueError>([&] {
                random_crop(9, 9, {1, 1}, {0, 1}, random);
              }),
              HasSubstr("random_crop: area"));
}

TEST(ColorJitter, WithoutStrengthChangesNothing) {
  const Image image = noise("jitter", 9, 8);
  RandomDraws random = draws(3);
  EXPECT_EQ(random_color_jitter(image, {}, random).pixels, image.pixels);
}

TEST(ColorJitter, BrightnessSpreadsOverItsRange) {
  Image grey = noise("jitter", 4, 4);
  std::fill(grey.pixels.begin(), grey.pixels.end(), std::uint8_t{100});
  int low = 255, high = 0;
  for (int i = 0; i < 500; ++i) {
    RandomDraws random = draws(i);
    const int value = random_color_jitter(grey, {0.4F, 0, 0, 0}, random).pixels[0];
    low = std::min(low, value);
    high = std::max(high, value);
  }
  EXPECT_NEAR(low, 60, 2);
  EXPECT_NEAR(high, 140, 2);
}

TEST(ColorJitter, StepsComeInEveryOrder) {
  const Image image = noise("order", 6, 6);
  std::set<std::string> results;
  for (int i = 0; i < 50; ++i) {
    RandomDraws random = draws(i);
    results.insert(bytes(random_color_jitter(image, {0.5F, 0.5F, 0.5F, 0.2F}, random)));
  }
  EXPECT_EQ(results.size(), 50U);
}

TEST(RandomErasing, ErasesOneRectangleOfTheWantedArea) {
  Image image = noise("erasing", 40, 30);
  for (std::uint8_t& value : image.pixels) value = std::max<std::uint8_t>(value, 1);
  for (int i = 0; i < 300; ++i) {
    RandomDraws random = draws(i);
    const Image result = random_erasing(image, {0.1F, 0.2F}, {0.5F, 2}, {0, 0, 0}, random);
    int erased = 0;
    int left = 40, right = -1, top = 30, bottom = -1;
    for (int y = 0; y < 30; ++y) {
      for (int x = 0; x < 40; ++x) {
        if (result.row(y)[3 * x] != 0) continue;
        ++erased;
        left = std::min(left, x);
        right = std::max(right, x);
        top = std::min(top, y);
        bottom = std::max(bottom, y);
      }
    }
    ASSERT_GT(erased, 0.08 * 1200);
    ASSERT_LT(erased, 0.22 * 1200);
    ASSERT_EQ(erased, (right - left + 1) * (bottom - top + 1));  // a rectangle
  }
}

TEST(RandAugment, DrawsEveryOperation) {
  const Image image = noise("rand", 12, 10);
  std::set<std::string> seen;
  for (int i = 0; i < 400; ++i) {
    RandomDraws random = draws(i);
    seen.insert(bytes(rand_augment(image, 1, 15, random)));
  }
  // Fourteen operations, nine of them with a direction; those that do not change this image count
  // once.
  std::set<std::string> possible;
  for (const std::string& name : rand_augment_operations()) {
    for (const bool negative : {false, true}) {
      possible.insert(bytes(rand_augment_operation(image, name, 15, negative)));
    }
  }
  EXPECT_EQ(seen, possible);
  EXPECT_GE(possible.size(), 20U);
}

TEST(RandAugment, ErrorsNameTheValues) {
  const Image image = noise("rand", 12, 10);
  RandomDraws random = draws(0);
  EXPECT_THAT(message_of<ValueError>([&] { rand_augment(image, 1, 31, random); }),
              HasSubstr("magnitude is 31"));
  EXPECT_THROW(rand_augment(image, -1, 9, random), ValueError);
  EXPECT_THAT(message_of<ValueError>([&] { rand_augment_operation(image, "Twist", 9, false); }),
              HasSubstr("unknown operation 'Twist'"));
  EXPECT_EQ(rand_augment(image, 0, 9, random).pixels, image.pixels);
}

}  // namespace
}  // namespace hanok::data
