#include "hanok/data/augmentation.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "hanok/kernels/base/error.h"

namespace hanok::data {
namespace {

std::string shortest(double value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

/// Throws ValueError unless the value is valid for the parameter.
void check_value(const TransformParameter& parameter, const std::vector<double>& value) {
  using Numbers = TransformParameter::Numbers;
  const bool is_range = parameter.standard.size() == 2;
  const auto fail = [&](const std::string& what) {
    throw ValueError(parameter.name + ": " + what);
  };
  if (value.size() != parameter.standard.size()) {
    fail(is_range ? "expects a range, [low, high]" : "expects one number");
  }
  for (const double x : value) {
    const bool whole = std::floor(x) == x;
    if (parameter.numbers == Numbers::Whole && !whole) fail("expects a whole number");
    if (parameter.numbers == Numbers::Odd && !(whole && std::fmod(x, 2) == 1)) {
      fail("expects an odd number");
    }
    if (!(x >= parameter.low && x <= parameter.high)) {
      fail("must lie between " + shortest(parameter.low) + " and " + shortest(parameter.high) +
           ", got " + shortest(x));
    }
  }
  if (is_range && value[0] > value[1]) {
    fail("the range begins at " + shortest(value[0]) + " and ends at " + shortest(value[1]));
  }
}

}  // namespace

const TransformKind& transform_kind(const std::string& name) {
  std::string known;
  for (const TransformKind& kind : transform_kinds()) {
    if (kind.name == name) return kind;
    known += (known.empty() ? "" : ", ") + kind.name;
  }
  throw ValueError("unknown transform '" + name + "' (known: " + known + ")");
}

TransformStep::TransformStep(const std::string& kind)
    : kind_(&transform_kind(kind)), probability_(kind_->probability) {
  for (const TransformParameter& parameter : kind_->parameters) {
    values_.push_back(parameter.standard);
  }
}

TransformStep& TransformStep::set_probability(double probability) {
  check_value({"probability", "", {1}, 0, 1}, {probability});
  probability_ = probability;
  return *this;
}

TransformStep& TransformStep::set(const std::string& parameter, const std::vector<double>& value) {
  std::string known;
  for (std::size_t i = 0; i < values_.size(); ++i) {
    if (kind_->parameters[i].name == parameter) {
      check_value(kind_->parameters[i], value);
      values_[i] = value;
      return *this;
    }
    known += kind_->parameters[i].name + ", ";
  }
  throw ValueError("unknown parameter '" + parameter + "' (" + kind_->name + " has: " + known +
                   "probability)");
}

const std::vector<std::string>& augmentation_names() {
  static const std::vector<std::string> names = {"none", "light", "strong", "randaugment"};
  return names;
}

bool is_augmentation_name(const std::string& name) {
  const std::vector<std::string>& names = augmentation_names();
  return std::find(names.begin(), names.end(), name) != names.end();
}

Augmentation named_augmentation(const std::string& name) {
  const Augmentation light = {TransformStep("horizontal_flip"), TransformStep("shift")};
  if (name == "none") return {};
  if (name == "light") return light;
  if (name == "strong") {
    return {TransformStep("random_resized_crop"),
            TransformStep("horizontal_flip"),
            TransformStep("affine").set_probability(0.5),
            TransformStep("color_jitter").set_probability(0.8),
            TransformStep("grayscale").set_probability(0.1),
            TransformStep("blur").set_probability(0.15),
            TransformStep("erase").set_probability(0.25)};
  }
  if (name == "randaugment") {
    Augmentation both = light;
    both.emplace_back("rand_augment");
    return both;
  }
  throw ValueError("unknown augmentation '" + name + "' (known: none, light, strong, randaugment)");
}

Image augment(const Image& image, const Augmentation& augmentation, std::uint64_t seed,
              std::int64_t epoch, std::int64_t sample, std::uint32_t occurrence) {
  RandomDraws random(seed, RandomStream::Augment, epoch, sample, occurrence);
  Image result = image;
  for (const TransformStep& step : augmentation) {
    const bool certain = step.probability() >= 1;
    if (!certain && !random.chance(static_cast<float>(step.probability()))) continue;
    result = step.kind().apply(result, step.values(), random);
  }
  return result;
}

}  // namespace hanok::data
