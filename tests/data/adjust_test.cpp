// Each transform against torchvision's result, and its errors.
#include "hanok/data/adjust.h"

#include <gmock/gmock.h>

#include "hanok/data/augment.h"
#include "hanok/data/warp.h"
#include "hanok/kernels/base/error.h"
#include "tests/data/support.h"

namespace hanok::data {
namespace {

using test::from_base64;
using test::message_of;
using test::noise;
using testing::HasSubstr;

/// A transform by the first word of the golden's name.
Image apply(const std::string& name, const Image& image, const Image& dull,
            const std::vector<double>& p) {
  const std::string word = name.substr(0, name.find(' '));
  const auto factor = [&p] { return static_cast<float>(p.at(0)); };
  const auto number = [&p](std::size_t i) { return static_cast<int>(p.at(i)); };
  if (word == "brightness") return adjust_brightness(image, factor());
  if (word == "contrast") return adjust_contrast(image, factor());
  if (word == "saturation") return adjust_saturation(image, factor());
  if (word == "sharpness") return adjust_sharpness(image, factor());
  if (word == "hue") return adjust_hue(image, factor());
  if (word == "grayscale") return grayscale(image);
  if (word == "autocontrast") return autocontrast(dull);
  if (word == "equalize") return equalize(dull);
  if (word == "posterize") return posterize(image, number(0));
  if (word == "solarize") return solarize(image, number(0));
  if (word == "invert") return invert(image);
  if (word == "blur") return gaussian_blur(image, number(0), static_cast<float>(p.at(1)));
  if (word == "vertical") return flip_vertical(image);
  if (word == "resized") {
    return resized_crop(image, {number(0), number(1), number(2), number(3)}, number(4), number(5));
  }
  if (word == "operation") {
    const std::string rest = name.substr(word.size() + 1);
    return rand_augment_operation(image, rest.substr(0, rest.find(' ')), number(0), p.at(1) < 0);
  }
  if (word == "affine") {
    const AffineParameters parameters{p.at(0), p.at(1), p.at(2), p.at(3), p.at(4), p.at(5)};
    return warp_affine(image, affine_matrix(parameters, image.width, image.height), {9, 80, 200});
  }
  throw std::runtime_error("no transform for " + name);
}

/// Maximum difference in steps of 1/255, and the reason.
int tolerance(const std::string& name) {
  if (name.rfind("blur", 0) == 0) return 1;    // torchvision sums in single precision
  if (name.rfind("affine", 0) == 0) return 1;  // sines of 1e-7, then truncated to whole steps
  for (const char* warp : {"operation Shear", "operation Rotate"}) {
    if (name.rfind(warp, 0) == 0) return 1;
  }
  return 0;
}

TEST(Transforms, EqualTorchvisions) {
  const golden::Json file = golden::load("data_transforms.json");
  const int width = file.at("size")[0], height = file.at("size")[1];
  const Image image{width, height, from_base64(file.at("input"))};
  const Image dull{width, height, from_base64(file.at("dull"))};
  ASSERT_GE(file.at("cases").size(), 68U);
  for (const auto& [name, json] : file.at("cases").items()) {
    const Image result = apply(name, image, dull, json.at("parameters").get<std::vector<double>>());
    const std::vector<std::uint8_t> expected = from_base64(json.at("pixels"));
    ASSERT_EQ(result.pixels.size(), expected.size()) << name;
    int worst = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
      worst = std::max(worst, std::abs(result.pixels[i] - expected[i]));
    }
    EXPECT_LE(worst, tolerance(name)) << name;
  }
}

TEST(Transforms, AFlatImageStaysAsItIs) {
  Image flat = noise("flat", 6, 5);
  std::fill(flat.pixels.begin(), flat.pixels.end(), std::uint8_t{77});
  for (const Image& result :
       {autocontrast(flat), equalize(flat), grayscale(flat), gaussian_blur(flat, 3, 1.0F),
        adjust_saturation(flat, 2.0F), adjust_sharpness(flat, 2.0F), adjust_contrast(flat, 3.0F)}) {
    EXPECT_EQ(result.pixels, flat.pixels);
  }
}

TEST(Transforms, EraseFillsTheRectangleOnly) {
  const Image image = noise("erase", 7, 6);
  const Image erased = erase(image, {2, 1, 3, 4}, {10, 20, 30});
  for (int y = 0; y < 6; ++y) {
    for (int x = 0; x < 7; ++x) {
      for (int c = 0; c < 3; ++c) {
        const bool inside = x >= 2 && x < 5 && y >= 1 && y < 5;
        EXPECT_EQ(erased.row(y)[3 * x + c], inside ? 10 * (c + 1) : image.row(y)[3 * x + c]);
      }
    }
  }
}

TEST(Transforms, ErrorsNameTheValues) {
  const Image image = noise("errors", 8, 6);
  EXPECT_THAT(message_of<ValueError>([&] { adjust_hue(image, 0.6F); }), HasSubstr("shift is 0.6"));
  EXPECT_THROW(adjust_hue(image, std::nanf("")), ValueError);
  EXPECT_THAT(message_of<ValueError>([&] { posterize(image, 9); }), HasSubstr("bits is 9"));
  EXPECT_THROW(posterize(image, 0), ValueError);
  EXPECT_THAT(message_of<ValueError>([&] { solarize(image, 257); }), HasSubstr("threshold is 257"));
  EXPECT_THAT(message_of<ValueError>([&] { gaussian_blur(image, 4, 1); }), HasSubstr("kernel 4"));
  EXPECT_THROW(gaussian_blur(image, 3, 0), ValueError);
  EXPECT_THAT(message_of<ValueError>([&] { gaussian_blur(image, 13, 1); }),
              HasSubstr("13 is too large for an image of 8x6"));
  EXPECT_THAT(message_of<ValueError>([&] {
                erase(image, {6, 0, 3, 1}, {0, 0, 0});
              }),
              HasSubstr("3x1 at (6,0) leaves the image of 8x6"));
  AffineParameters flat;
  flat.scale = 0;
  EXPECT_THAT(message_of<ValueError>([&] { affine_matrix(flat, 8, 6); }), HasSubstr("scale is 0"));
}

}  // namespace
}  // namespace hanok::data
