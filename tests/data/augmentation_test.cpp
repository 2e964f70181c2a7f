// Lists of transforms: parameters and their checks, probabilities, and that an image is a function
// of seed, epoch, sample and occurrence only.
#include "hanok/data/augmentation.h"

#include <cmath>
#include <gmock/gmock.h>
#include <set>

#include "hanok/data/adjust.h"
#include "hanok/data/augment.h"
#include "hanok/data/warp.h"
#include "hanok/kernels/base/error.h"
#include "tests/data/support.h"

namespace hanok::data {
namespace {

using test::message_of;
using test::noise;
using testing::HasSubstr;

/// Pixels as a string, which can be ordered and compared.
std::string bytes(const Image& image) { return {image.pixels.begin(), image.pixels.end()}; }

Image smooth(int width, int height) {
  return resize(noise("policy", 7, 9), width, height, Filter::Bicubic);
}

TEST(Augmentation, KnowsItsNames) {
  EXPECT_TRUE(named_augmentation("none").empty());
  EXPECT_EQ(named_augmentation("light").size(), 2U);
  EXPECT_THAT(message_of<ValueError>([] { named_augmentation("heavy"); }),
              HasSubstr("unknown augmentation 'heavy' (known: none, light"));
  for (const std::string& name : augmentation_names()) EXPECT_TRUE(is_augmentation_name(name));
  EXPECT_FALSE(is_augmentation_name("heavy"));
}

TEST(Augmentation, WithoutStepsChangesNothing) {
  const Image image = noise("none", 8, 8);
  EXPECT_EQ(augment(image, {}, 1, 2, 3).pixels, image.pixels);
}

// A step draws what the function of that name draws from the same counter.
TEST(Augmentation, StepsCallTheTransformsWithTheirParameters) {
  const Image image = smooth(40, 32);
  const auto result = [&](const TransformStep& step) { return augment(image, {step}, 1, 2, 3); };
  const auto draws = [] { return RandomDraws(1, RandomStream::Augment, 2, 3); };
  const auto expect = [&](const TransformStep& step, const Image& expected) {
    EXPECT_EQ(result(step).pixels, expected.pixels) << step.kind().name;
  };
  expect(TransformStep("horizontal_flip").set_probability(1), flip_horizontal(image));
  expect(TransformStep("vertical_flip").set_probability(1), flip_vertical(image));
  expect(TransformStep("grayscale"), grayscale(image));
  expect(TransformStep("autocontrast"), autocontrast(image));
  expect(TransformStep("equalize"), equalize(image));
  expect(TransformStep("invert"), invert(image));
  expect(TransformStep("posterize").set("bits", {2}), posterize(image, 2));
  expect(TransformStep("solarize").set("threshold", {77}), solarize(image, 77));
  expect(TransformStep("sharpness").set("factor", {1.5, 1.5}), adjust_sharpness(image, 1.5F));
  expect(TransformStep("blur").set("kernel", {7}).set("sigma", {2, 2}), gaussian_blur(image, 7, 2));
  RandomDraws random = draws();
  expect(TransformStep("rand_augment").set("operations", {3}).set("magnitude", {20}),
         rand_augment(image, 3, 20, random));
  random = draws();
  const ColorJitter jitter{0.1F, 0.2F, 0.4F, 0.25F};
  expect(TransformStep("color_jitter")
             .set("brightness", {0.1})
             .set("contrast", {0.2})
             .set("saturation", {0.4})
             .set("hue", {0.25}),
         random_color_jitter(image, jitter, random));
  random = draws();
  const Rectangle part = random_crop(40, 32, {0.1F, 0.3F}, {0.5F, 2}, random);
  expect(TransformStep("random_resized_crop").set("area", {0.1, 0.3}).set("aspect", {0.5, 2}),
         resized_crop(image, part, 40, 32));
  random = draws();
  expect(TransformStep("erase").set("area", {0.2, 0.5}).set("aspect", {1, 2}),
         random_erasing(image, {0.2F, 0.5F}, {1, 2}, {124, 116, 104}, random));
}

TEST(Augmentation, WarpsStayWithinTheirRanges) {
  const Image image = smooth(40, 32);
  const auto warped = [&](const AffineParameters& warp) {
    return warp_affine(image, affine_matrix(warp, 40, 32), {124, 116, 104});
  };
  // Empty ranges leave one possible result.
  AffineParameters still;
  EXPECT_EQ(augment(image, {TransformStep("rotate").set("degrees", {0})}, 1, 0, 0).pixels,
            warped(still).pixels);
  AffineParameters larger;
  larger.scale = 1.5;
  const TransformStep scaled =
      TransformStep("affine").set("degrees", {0}).set("translate", {0}).set("scale", {1.5, 1.5});
  EXPECT_EQ(augment(image, {scaled}, 1, 0, 0).pixels, warped(larger).pixels);
  // The draw itself: an angle from -30 to 30, in both directions.
  const TransformStep turned = TransformStep("rotate").set("degrees", {30});
  int left = 0, right = 0;
  for (int epoch = 0; epoch < 20; ++epoch) {
    RandomDraws random(1, RandomStream::Augment, epoch, 0);
    AffineParameters turn;
    turn.angle = static_cast<double>(random.between(-30, 30));
    (turn.angle < 0 ? left : right) += 1;
    EXPECT_EQ(augment(image, {turned}, 1, epoch, 0).pixels, warped(turn).pixels) << epoch;
  }
  EXPECT_GT(std::min(left, right), 3);
  const TransformStep sheared = TransformStep("affine")
                                    .set("degrees", {0})
                                    .set("translate", {0})
                                    .set("scale", {1, 1})
                                    .set("shear", {20});
  EXPECT_NE(augment(image, {sheared}, 1, 0, 0).pixels, warped(still).pixels);
}

TEST(Augmentation, ProbabilityIsTheShareOfImages) {
  const Image image = smooth(8, 8);
  const TransformStep step = TransformStep("invert").set_probability(0.3);
  int changed = 0;
  for (int sample = 0; sample < 2000; ++sample) {
    changed += augment(image, {step}, 1, 0, sample).pixels != image.pixels;
  }
  EXPECT_NEAR(changed / 2000.0, 0.3, 0.04);
  const TransformStep never = TransformStep("invert").set_probability(0);
  EXPECT_EQ(augment(image, {never}, 1, 0, 0).pixels, image.pixels);
}

TEST(Augmentation, StepsComeInOrder) {
  const Image image = smooth(16, 16);
  const TransformStep dark = TransformStep("solarize").set("threshold", {0});
  const TransformStep coarse = TransformStep("posterize").set("bits", {1});
  EXPECT_EQ(augment(image, {dark, coarse}, 1, 0, 0).pixels,
            posterize(solarize(image, 0), 1).pixels);
  EXPECT_EQ(augment(image, {coarse, dark}, 1, 0, 0).pixels,
            solarize(posterize(image, 1), 0).pixels);
}

TEST(Augmentation, ErrorsNameParameterAndRange) {
  const auto message = [](const char* kind, const char* name, const std::vector<double>& value) {
    return message_of<ValueError>([&] { TransformStep(kind).set(name, value); });
  };
  EXPECT_THAT(message_of<ValueError>([] { TransformStep("twist"); }),
              HasSubstr("unknown transform 'twist' (known: random_resized_crop, "));
  EXPECT_THAT(message("blur", "size", {3}),
              HasSubstr("unknown parameter 'size' (blur has: kernel, sigma, probability)"));
  EXPECT_THAT(message("blur", "kernel", {4}), HasSubstr("kernel: expects an odd number"));
  EXPECT_THAT(message("blur", "sigma", {1}), HasSubstr("sigma: expects a range, [low, high]"));
  EXPECT_THAT(message("blur", "sigma", {2, 1}), HasSubstr("begins at 2 and ends at 1"));
  EXPECT_THAT(message("posterize", "bits", {2.5}), HasSubstr("bits: expects a whole number"));
  EXPECT_THAT(message("rotate", "degrees", {-1}), HasSubstr("must lie between 0 and 180, got -1"));
  EXPECT_THAT(message("rotate", "degrees", {1, 2}), HasSubstr("expects one number"));
  EXPECT_THAT(message("rotate", "degrees", {std::nan("")}), HasSubstr("degrees"));
  EXPECT_THAT(message_of<ValueError>([] { TransformStep("invert").set_probability(1.5); }),
              HasSubstr("probability: must lie between 0 and 1"));
}

/// The image, optionally flipped, shifted by (dx, dy) and filled with black.
Image expected_light(const Image& image, bool flip, int dx, int dy) {
  const Image source = flip ? flip_horizontal(image) : image;
  Image result{image.width, image.height, std::vector<std::uint8_t>(image.pixels.size())};
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      for (int c = 0; c < 3; ++c) {
        if (x - dx >= 0 && x - dx < image.width && y - dy >= 0 && y - dy < image.height) {
          result.row(y)[3 * x + c] = source.row(y - dy)[3 * (x - dx) + c];
        }
      }
    }
  }
  return result;
}

TEST(Augmentation, LightFlipsAndShiftsByUpToASixteenth) {
  const Image image = noise("light", 32, 48);
  std::set<std::tuple<bool, int, int>> seen;
  for (int sample = 0; sample < 600; ++sample) {
    const Image result = augment(image, named_augmentation("light"), 1, 0, sample);
    bool found = false;
    for (const bool flip : {false, true}) {
      for (int dx = -2; dx <= 2; ++dx) {
        for (int dy = -3; dy <= 3; ++dy) {
          if (result.pixels == expected_light(image, flip, dx, dy).pixels) {
            found = seen.emplace(flip, dx, dy).second || true;
          }
        }
      }
    }
    ASSERT_TRUE(found) << sample;
  }
  EXPECT_GT(seen.size(), 66U);  // of 2 x 5 x 7; each is missing with probability (69/70)^600
}

TEST(Augmentation, IsAFunctionOfSeedEpochAndSample) {
  const Image image = noise("function", 64, 64);
  const auto result = [&](std::uint64_t seed, std::int64_t epoch, std::int64_t sample) {
    return augment(image, named_augmentation("light"), seed, epoch, sample).pixels;
  };
  const auto first = result(1, 2, 3);
  EXPECT_EQ(first, result(1, 2, 3));
  int same = 0;
  for (int i = 0; i < 20; ++i) {
    same += (first == result(1, 10 + i, 3)) + (first == result(1, 2, 10 + i)) +
            (first == result(10 + static_cast<std::uint64_t>(i), 2, 3));
  }
  EXPECT_LE(same, 4);  // of 60; equal by chance with probability 1/162
}

TEST(Augmentation, TinyImagesAreFine) {
  std::vector<Augmentation> policies;
  for (const std::string& name : augmentation_names()) policies.push_back(named_augmentation(name));
  for (const TransformKind& kind : transform_kinds()) {
    policies.push_back({TransformStep(kind.name)});
  }
  for (const Augmentation& policy : policies) {
    for (const int size : {1, 2, 3, 5}) {
      for (int sample = 0; sample < 60; ++sample) {
        EXPECT_EQ(augment(noise("tiny", size, size), policy, 1, 0, sample).width, size);
      }
    }
  }
}

class Policies : public testing::TestWithParam<const char*> {};

TEST_P(Policies, AreFunctionsOfSeedEpochSampleAndOccurrence) {
  const Image image = resize(noise("policy", 7, 9), 48, 40, Filter::Bicubic);
  const auto result = [&](std::uint64_t seed, std::int64_t epoch, std::int64_t sample,
                          std::uint32_t occurrence) {
    const Image out =
        augment(image, named_augmentation(GetParam()), seed, epoch, sample, occurrence);
    EXPECT_EQ(out.width, 48);
    EXPECT_EQ(out.height, 40);
    return bytes(out);
  };
  const auto first = result(1, 2, 3, 0);
  EXPECT_EQ(first, result(1, 2, 3, 0));
  int same = 0;
  for (int i = 0; i < 10; ++i) {
    const auto other = static_cast<std::uint64_t>(10 + i);
    same += (first == result(other, 2, 3, 0)) + (first == result(1, 10 + i, 3, 0)) +
            (first == result(1, 2, 10 + i, 0)) +
            (first == result(1, 2, 3, static_cast<std::uint32_t>(i + 1)));
  }
  EXPECT_LE(same, 3);
}

// An image has about a hundred variants over a hundred epochs.
TEST_P(Policies, TwoEpochsHardlyEverLookAlike) {
  const Image image = resize(noise("policy", 7, 9), 64, 64, Filter::Bicubic);
  std::set<std::string> seen;
  for (int epoch = 0; epoch < 100; ++epoch) {
    seen.insert(bytes(augment(image, named_augmentation(GetParam()), 1, epoch, 5)));
  }
  EXPECT_GE(seen.size(), GetParam() == std::string("light") ? 60U : 98U);
}

INSTANTIATE_TEST_SUITE_P(All, Policies, testing::Values("light", "strong", "randaugment"));

}  // namespace
}  // namespace hanok::data
