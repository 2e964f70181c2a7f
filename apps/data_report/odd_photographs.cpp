#include "hanok/apps/data_report/odd_photographs.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <limits>

#include "hanok/apps/statistics/quantile.h"

namespace hanok::data_report {
namespace {

/// In any data set: below and above these a person sees the fault at once.
constexpr double kBlack = 20;      // brightness
constexpr double kWhite = 240;     // brightness
constexpr double kUniform = 8;     // contrast
constexpr double kThumbnail = 32;  // pixels of the shorter side
/// Never a fault, however far it is from the other photographs.
constexpr double kLightEnough = 70, kDarkEnough = 200;
constexpr double kMostBlurred = 0.1;  // of the median sharpness
constexpr double kSmallest = 0.25;    // of the median shorter side
constexpr double kLongest = 3;        // sides, one to the other
constexpr double kUnusual = 1.5;      // times the median of width / height

template <typename Fact>
std::vector<double> values_of(const std::vector<ImageFacts>& facts, const Fact& fact) {
  std::vector<double> values;
  for (const ImageFacts& image : facts) {
    if (image.problem.empty()) values.push_back(fact(image));
  }
  return values;
}

double shorter_side(const ImageFacts& image) { return std::min(image.width, image.height); }
double shape(const ImageFacts& image) {
  return static_cast<double>(image.width) / static_cast<double>(image.height);
}
double logarithm_of_sharpness(const ImageFacts& image) {
  return std::log(static_cast<double>(image.sharpness) + 1e-3);
}

/// Tukey's fences: `reach` distances of the quartiles beyond them.
struct Fences {
  double low, median, high;
};
Fences fences(const std::vector<double>& values, double reach = 3) {
  const double low = statistics::quantile(values, 0.25);
  const double high = statistics::quantile(values, 0.75);
  return {.low = low - reach * (high - low),
          .median = statistics::quantile(values, 0.5),
          .high = high + reach * (high - low)};
}

}  // namespace

const char* name_of(Oddity oddity) {
  switch (oddity) {
    case Oddity::Dark:
      return "dark";
    case Oddity::Bright:
      return "bright";
    case Oddity::Flat:
      return "flat";
    case Oddity::Blurred:
      return "blurred";
    case Oddity::Tiny:
      return "tiny";
    case Oddity::OddShaped:
      return "odd-shaped";
  }
  return "";
}

OddityLimits oddity_limits(const std::vector<ImageFacts>& facts) {
  OddityLimits limits;
  const auto brightness =
      values_of(facts, [](const ImageFacts& image) { return double{image.brightness}; });
  if (brightness.empty()) return limits;
  const Fences light = fences(brightness);
  limits.dark = std::clamp(light.low, kBlack, kLightEnough);
  limits.bright = std::clamp(light.high, kDarkEnough, kWhite);
  limits.flat = kUniform;
  const Fences sharp = fences(values_of(facts, logarithm_of_sharpness), 1.5);
  limits.blurred = std::min(std::exp(sharp.low), kMostBlurred * std::exp(sharp.median));
  limits.tiny =
      std::max(kThumbnail, kSmallest * statistics::quantile(values_of(facts, shorter_side), 0.5));
  const double usual = statistics::quantile(values_of(facts, shape), 0.5);
  limits.narrow = std::max(usual / kUnusual, 1 / kLongest);
  limits.wide = std::min(usual * kUnusual, kLongest);
  // Where shapes vary anyway, an unusual one is beyond the others.
  const Fences shapes = fences(values_of(facts, shape));
  limits.narrow = std::max(1 / kLongest, std::min(limits.narrow, shapes.low));
  limits.wide = std::min(kLongest, std::max(limits.wide, shapes.high));
  return limits;
}

std::string describe(Oddity oddity, const OddityLimits& limits) {
  switch (oddity) {
    case Oddity::Dark:
      return fmt::format("mean brightness below {:.0f} of 255", limits.dark);
    case Oddity::Bright:
      return fmt::format("mean brightness above {:.0f} of 255", limits.bright);
    case Oddity::Flat:
      return fmt::format("contrast (standard deviation of the brightness) below {:.0f}",
                         limits.flat);
    case Oddity::Blurred:
      return fmt::format(
          "sharpness (variance of the Laplacian at 128x128) below {:.3g}, a tenth of the median or "
          "less",
          limits.blurred);
    case Oddity::Tiny:
      return fmt::format("shorter side below {:.0f} pixels", limits.tiny);
    case Oddity::OddShaped:
      return fmt::format("width / height below {:.2f} or above {:.2f}", limits.narrow, limits.wide);
  }
  return "";
}

std::vector<OddPhotograph> odd_photographs(const std::vector<ImageFacts>& facts,
                                           const OddityLimits& limits) {
  struct Found {
    OddPhotograph photograph;
    double extreme;  // the lower, the further from the others
  };
  std::vector<Found> found;
  for (std::size_t i = 0; i < facts.size(); ++i) {
    const ImageFacts& image = facts[i];
    if (!image.problem.empty()) continue;
    const auto add = [&](bool odd, Oddity oddity, double value, double extreme,
                         const std::string& text) {
      if (!odd) return;
      found.push_back({{.sample = i, .oddity = oddity, .value = value, .text = text}, extreme});
    };
    const double light = image.brightness;
    add(light < limits.dark, Oddity::Dark, light, light, fmt::format("brightness {:.0f}", light));
    add(light > limits.bright, Oddity::Bright, light, -light,
        fmt::format("brightness {:.0f}", light));
    const double contrast = image.contrast;
    add(contrast < limits.flat, Oddity::Flat, contrast, contrast,
        fmt::format("contrast {:.1f}", contrast));
    const double sharpness = image.sharpness;
    add(sharpness < limits.blurred, Oddity::Blurred, sharpness, sharpness,
        fmt::format("sharpness {:.3g}", sharpness));
    const std::string size = fmt::format("{}x{}", image.width, image.height);
    add(shorter_side(image) < limits.tiny, Oddity::Tiny, shorter_side(image), shorter_side(image),
        size);
    const double ratio = shape(image);
    add(ratio < limits.narrow || ratio > limits.wide, Oddity::OddShaped, ratio,
        -std::abs(std::log(ratio)), size);
  }
  std::stable_sort(found.begin(), found.end(), [](const Found& a, const Found& b) {
    if (a.photograph.oddity != b.photograph.oddity) {
      return a.photograph.oddity < b.photograph.oddity;
    }
    return a.extreme < b.extreme;
  });
  std::vector<OddPhotograph> photographs;
  for (Found& each : found) photographs.push_back(std::move(each.photograph));
  return photographs;
}

}  // namespace hanok::data_report
