// Maps of what counted: on the photograph, inside a box, in colours.
#include "hanok/apps/prediction/heat_map.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hanok/engine/ops.h"
#include "hanok/kernels/base/error.h"

namespace hanok::test {
namespace {

using training::Box;
using training::HeatMap;

TEST(HeatMaps, AreEnlargedAsTheOpDoes) {
  const HeatMap map{.width = 3, .height = 2, .values = {0, 1, 0.25F, 0.5F, 0, 0.75F}};
  const HeatMap large = training::on_photograph(map, 17, 9, {.right = 17, .bottom = 9});
  const std::vector<float> expected =
      ops::upsample_bilinear2d(Tensor::from_vector(map.values, {1, 1, 2, 3}), 9, 17).to_vector();
  ASSERT_EQ(large.values.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_NEAR(large.values[i], expected[i], 1e-6) << i;
  }
}

TEST(HeatMaps, AreZeroWhereTheNetworkSawNothing) {
  data::Preprocessing preprocessing;
  preprocessing.resize = 256;
  preprocessing.image_size = 224;
  const Box seen = training::part_seen(400, 200, preprocessing);
  EXPECT_DOUBLE_EQ(seen.left, 112.5);
  EXPECT_DOUBLE_EQ(seen.right, 287.5);
  EXPECT_DOUBLE_EQ(seen.top, 12.5);
  EXPECT_DOUBLE_EQ(seen.bottom, 187.5);
  const HeatMap map =
      training::on_photograph({.width = 1, .height = 1, .values = {1}}, 400, 200, seen);
  EXPECT_EQ(map.at(200, 100), 1);
  EXPECT_EQ(map.at(111, 100), 0);
  EXPECT_EQ(map.at(288, 100), 0);
  EXPECT_EQ(map.at(200, 11), 0);
  EXPECT_EQ(map.at(200, 188), 0);
}

TEST(HeatMaps, OfAStretchedPhotographCoverItAll) {
  data::Preprocessing preprocessing;
  preprocessing.image_size = 96;
  const Box seen = training::part_seen(50, 80, preprocessing);
  EXPECT_EQ(seen.left, 0);
  EXPECT_EQ(seen.top, 0);
  EXPECT_EQ(seen.right, 50);
  EXPECT_EQ(seen.bottom, 80);
}

TEST(HeatMaps, TheShareInABoxCountsPixelsAsFarAsTheyAreCovered) {
  const HeatMap map{.width = 2, .height = 2, .values = {1, 0.5F, 0, 0.5F}};
  EXPECT_DOUBLE_EQ(training::share_inside(map, {.right = 2, .bottom = 2}), 1);
  EXPECT_DOUBLE_EQ(training::share_inside(map, {.left = -5, .top = -5, .right = 1, .bottom = 9}),
                   0.5);
  EXPECT_DOUBLE_EQ(training::share_inside(map, {.right = 0.5, .bottom = 0.5}), 0.125);
  EXPECT_DOUBLE_EQ(training::share_inside(map, {.left = 3, .top = 0, .right = 9, .bottom = 2}), 0);
  EXPECT_DOUBLE_EQ(training::share_inside({.width = 1, .height = 1, .values = {0}}, {0, 0, 1, 1}),
                   0);
}

TEST(HeatMaps, TheMeanIsScaledToOne) {
  const HeatMap a{.width = 2, .height = 1, .values = {1, 0}};
  const HeatMap b{.width = 2, .height = 1, .values = {0.5F, 0.75F}};
  EXPECT_THAT(training::mean_of({a, b}).values, ::testing::ElementsAre(1, 0.5F));
  EXPECT_THROW(training::mean_of({}), ValueError);
  EXPECT_THROW(training::mean_of({a, {.width = 1, .height = 1, .values = {1}}}), ValueError);
}

/// Of sRGB, after Rec. 709.
double lightness(const training::HeatColor& color) {
  return 0.2126 * color.red + 0.7152 * color.green + 0.0722 * color.blue;
}

TEST(HeatMaps, ColoursGrowLighter) {
  for (int i = 0; i < 100; ++i) {
    EXPECT_LT(lightness(training::heat_color(static_cast<float>(i) / 100)),
              lightness(training::heat_color(static_cast<float>(i + 1) / 100)) + 0.5)
        << i;
  }
  EXPECT_GT(lightness(training::heat_color(1)), lightness(training::heat_color(0)) + 150);
}

TEST(HeatMaps, AnOverlayKeepsTheGreyPhotographWhereNothingCounted) {
  data::Image photograph{2, 1, {200, 100, 50, 200, 100, 50}};
  const data::Image shown =
      training::overlay(photograph, {.width = 2, .height = 1, .values = {0, 1}});
  EXPECT_EQ(shown.pixels[0], 124);  // 0.299 red + 0.587 green + 0.114 blue
  EXPECT_EQ(shown.pixels[1], 124);
  EXPECT_EQ(shown.pixels[2], 124);
  EXPECT_GT(shown.pixels[3], 180);  // yellow
  EXPECT_GT(shown.pixels[4], 180);
  EXPECT_LT(shown.pixels[5], 80);
  EXPECT_THROW(training::overlay(photograph, {.width = 1, .height = 1, .values = {0}}), ValueError);
}

TEST(HeatMaps, OfACroppedSampleLieWhereItsPartLies) {
  data::Sample sample;
  const data::Preprocessing whole;
  const training::Box all = training::part_seen(sample, 100, 80, whole);
  EXPECT_EQ(all.left, training::part_seen(100, 80, whole).left);
  sample.crop = data::Rectangle{30, 20, 40, 40};
  const training::Box part = training::part_seen(40, 40, whole);
  const training::Box seen = training::part_seen(sample, 100, 80, whole);
  EXPECT_EQ(seen.left, part.left + 30);
  EXPECT_EQ(seen.top, part.top + 20);
  EXPECT_EQ(seen.right, part.right + 30);
  EXPECT_EQ(seen.bottom, part.bottom + 20);
  const training::Box half = training::scaled(seen, 0.5);
  EXPECT_EQ(half.right, seen.right / 2);
}

}  // namespace
}  // namespace hanok::test
