// What is measured of each photograph, compared with values that follow from how it was drawn.
#include "hanok/apps/data_report/image_facts.h"

#include <bit>
#include <cmath>
#include <filesystem>
#include <gtest/gtest.h>

#include "hanok/data/dataset.h"
#include "tests/apps/data_report/pictures.h"
#include "tests/apps/program.h"
#include "tests/data/support.h"

namespace hanok::test {
namespace {

namespace fs = std::filesystem;
using data_report::ImageFacts;

TEST(ImageFacts, ColoursBrightnessAndContrastOfAFramedPicture) {
  const TemporaryFolder folder;
  data::Image image{100, 50, std::vector<std::uint8_t>(std::size_t{3} * 100 * 50, 200)};
  for (int y = 2; y < 48; ++y) {
    for (int x = 4; x < 96; ++x) {
      image.row(y)[3 * x] = 100;
      image.row(y)[3 * x + 1] = 100;
      image.row(y)[3 * x + 2] = 100;
    }
  }
  const ImageFacts facts =
      data_report::measure_image(write(folder / "a.png", data::encode_png(image)));
  EXPECT_EQ(facts.problem, "");
  EXPECT_EQ(facts.format, "PNG");
  EXPECT_EQ(facts.mode, "RGB");
  EXPECT_EQ(facts.jpeg_quality, 0);
  EXPECT_EQ(facts.jpeg_tables, 0U);
  EXPECT_EQ(facts.width, 100);
  EXPECT_EQ(facts.height, 50);
  EXPECT_EQ(facts.bytes, static_cast<std::int64_t>(fs::file_size(folder / "a.png")));
  EXPECT_FLOAT_EQ(facts.border_colour[0], 200);
  const double inner = 92.0 * 46 / 5000;  // share of the pixels inside the frame
  EXPECT_NEAR(facts.mean_colour[1], 200 - 100 * inner, 1e-3);
  EXPECT_NEAR(facts.brightness, 200 - 100 * inner, 1e-3);
  EXPECT_NEAR(facts.contrast, 100 * std::sqrt(inner * (1 - inner)), 1e-3);
  EXPECT_EQ(facts.small.width, 32);
  EXPECT_EQ(facts.small.height, 32);
}

class JpegQuality : public ::testing::TestWithParam<int> {};

TEST_P(JpegQuality, IsTheOneThatWroteTheFile) {
  const TemporaryFolder folder;
  const ImageFacts facts = data_report::measure_image(
      write(folder / "a.jpg", data::encode_jpeg(collage(1), GetParam())));
  EXPECT_EQ(facts.jpeg_quality, GetParam());
  EXPECT_EQ(facts.format, "JPEG");
  const ImageFacts other = data_report::measure_image(
      write(folder / "b.jpg", data::encode_jpeg(collage(2), GetParam())));
  EXPECT_EQ(other.jpeg_tables, facts.jpeg_tables);
  EXPECT_NE(other.content_hash, facts.content_hash);
  const ImageFacts coarser = data_report::measure_image(
      write(folder / "c.jpg", data::encode_jpeg(collage(2), GetParam() - 1)));
  EXPECT_NE(coarser.jpeg_tables, facts.jpeg_tables);
}

INSTANTIATE_TEST_SUITE_P(Qualities, JpegQuality, ::testing::Values(5, 30, 49, 50, 75, 90, 95, 100));

TEST(ImageFacts, HashesOfOnePictureAreCloseAndOfOthersFar) {
  const TemporaryFolder folder;
  const auto hash = [&folder](const std::vector<std::uint8_t>& bytes) {
    return data_report::measure_image(write(folder / "a", bytes)).perceptual_hash;
  };
  for (unsigned seed = 0; seed < 12; ++seed) {
    const data::Image image = collage(seed);
    const std::uint64_t of_image = hash(data::encode_png(image));
    const std::uint64_t recompressed = hash(data::encode_jpeg(image, 40));
    const std::uint64_t smaller = hash(data::encode_jpeg(data::resize(image, 80, 60), 85));
    EXPECT_LE(std::popcount(of_image ^ recompressed), 10) << seed;
    EXPECT_LE(std::popcount(of_image ^ smaller), 10) << seed;
    const std::uint64_t other = hash(data::encode_png(collage(seed + 1)));
    EXPECT_GT(std::popcount(of_image ^ other), 16) << seed;
  }
}

TEST(ImageFacts, BlurLowersSharpness) {
  const TemporaryFolder folder;
  const data::Image sharp = collage(3, 256, 256);
  const data::Image blurred = data::resize(data::resize(sharp, 16, 16), 256, 256);
  const auto sharpness = [&folder](const data::Image& image) {
    return data_report::measure_image(write(folder / "a.png", data::encode_png(image))).sharpness;
  };
  EXPECT_LT(10 * sharpness(blurred), sharpness(sharp));
}

TEST(ImageFacts, SayWhyAFileCannotBeRead) {
  const TemporaryFolder folder;
  write_text(folder / "a.png", "nothing");
  const ImageFacts facts = data_report::measure_image(folder / "a.png");
  EXPECT_NE(facts.problem.find("text and not an image"), std::string::npos) << facts.problem;
  EXPECT_EQ(facts.bytes, 7);
  EXPECT_NE(facts.content_hash, 0U);
  EXPECT_EQ(facts.width, 0);
  EXPECT_NE(data_report::measure_image(folder / "absent.png").problem, "");
}

TEST(ImageFacts, AreTheSameForAnyNumberOfThreads) {
  const TemporaryFolder folder;
  data::Dataset dataset;
  dataset.root = folder / "";
  for (unsigned i = 0; i < 12; ++i) {
    const std::string name = std::to_string(i) + ".jpg";
    write(folder / name, data::encode_jpeg(collage(i), 80));
    dataset.samples.push_back({.path = name, .label = 0, .group = name});
  }
  int calls = 0;
  const auto one = data_report::measure_images(dataset, 1, [&calls] { ++calls; }).value();
  EXPECT_EQ(calls, 12);
  const auto four = data_report::measure_images(dataset, 4).value();
  ASSERT_EQ(one.size(), 12U);
  for (std::size_t i = 0; i < one.size(); ++i) {
    EXPECT_EQ(one[i].content_hash, four[i].content_hash);
    EXPECT_EQ(one[i].perceptual_hash, four[i].perceptual_hash);
    EXPECT_EQ(one[i].brightness, four[i].brightness);
    EXPECT_EQ(one[i].sharpness, four[i].sharpness);
    EXPECT_EQ(one[i].small.pixels, four[i].small.pixels);
  }
}

}  // namespace
}  // namespace hanok::test
