// Lists of random transforms, each with a probability and parameters: what --augment selects.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hanok/data/image.h"
#include "hanok/data/random.h"

#pragma GCC visibility push(default)
namespace hanok::data {

/// One parameter of a transform: a number, or a range from which numbers are drawn.
struct TransformParameter {
  std::string name, help;
  std::vector<double> standard;  // one number, or the two ends of a range
  double low, high;              // valid range
  enum class Numbers { Real, Whole, Odd } numbers = Numbers::Real;
};

/// Values of a transform's parameters, in the order of its kind's `parameters`.
using TransformValues = std::vector<std::vector<double>>;

struct TransformKind {
  std::string name, help;
  double probability;  // default; a step may override it
  std::vector<TransformParameter> parameters;
  Image (*apply)(const Image& image, const TransformValues& values, RandomDraws& random);
};

/// All available transforms.
const std::vector<TransformKind>& transform_kinds();
/// Throws ValueError listing the known names.
const TransformKind& transform_kind(const std::string& name);

/// One step of a list: a transform applied with `probability` and these parameters.
class TransformStep {
 public:
  /// Starts with the kind's defaults. Throws ValueError for an unknown kind.
  explicit TransformStep(const std::string& kind);
  /// Throws ValueError outside 0..1.
  TransformStep& set_probability(double probability);
  /// Throws ValueError naming the parameter and its valid range.
  TransformStep& set(const std::string& parameter, const std::vector<double>& value);

  const TransformKind& kind() const { return *kind_; }
  double probability() const { return probability_; }
  const TransformValues& values() const { return values_; }

 private:
  const TransformKind* kind_;
  double probability_;
  TransformValues values_;
};

/// Applied in order; an empty list leaves images unchanged.
using Augmentation = std::vector<TransformStep>;

/// The predefined lists: "none", "light", "strong", "randaugment".
const std::vector<std::string>& augmentation_names();
bool is_augmentation_name(const std::string& name);
/// light: horizontal flip, and a shift by up to 1/16 of the size, filled with black. strong: random
/// resized crop (60-100% of the area), flip, and with some probability each: small affine warp,
/// colour jitter, grayscale, blur, erasing. randaugment: light, then two operations of RandAugment
/// at magnitude 9. Throws ValueError for another name.
Augmentation named_augmentation(const std::string& name);

/// Returns an image of the same size, determined by (seed, epoch, sample, occurrence). `occurrence`
/// counts earlier uses of the sample in this epoch, for samplers that repeat samples.
Image augment(const Image& image, const Augmentation& augmentation, std::uint64_t seed,
              std::int64_t epoch, std::int64_t sample, std::uint32_t occurrence = 0);

}  // namespace hanok::data
#pragma GCC visibility pop
