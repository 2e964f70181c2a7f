// Lists of random transforms, each with its chance and parameters: what --augment chooses.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hanok/data/image.h"
#include "hanok/data/random.h"

namespace hanok::data {

/// One parameter of a transform: a number, or a range from which numbers are drawn.
struct TransformParameter {
  std::string name, help;
  std::vector<double> standard;  // one number, or the two ends of a range
  double low, high;              // what is allowed
  enum class Numbers { Real, Whole, Odd } numbers = Numbers::Real;
};

/// Values of a transform's parameters, in the order of its kind.
using TransformValues = std::vector<std::vector<double>>;

struct TransformKind {
  std::string name, help;
  double probability;  // unless a step says otherwise
  std::vector<TransformParameter> parameters;
  Image (*apply)(const Image& image, const TransformValues& values, RandomDraws& random);
};

/// All transforms that a list can have.
const std::vector<TransformKind>& transform_kinds();
/// Throws ValueError that lists them.
const TransformKind& transform_kind(const std::string& name);

/// A transform of a list: applied to an image with `probability`, with these parameters.
class TransformStep {
 public:
  /// The kind's own probability and parameters. Throws ValueError for an unknown kind.
  explicit TransformStep(const std::string& kind);
  TransformStep& set_probability(double probability);
  /// Throws ValueError naming the parameter and what it can be.
  TransformStep& set(const std::string& parameter, const std::vector<double>& value);

  const TransformKind& kind() const { return *kind_; }
  double probability() const { return probability_; }
  const TransformValues& values() const { return values_; }

 private:
  const TransformKind* kind_;
  double probability_;
  TransformValues values_;
};

/// Applied one after another; none: images stay as they are.
using Augmentation = std::vector<TransformStep>;

/// The lists that have names: "none", "light", "strong", "randaugment".
const std::vector<std::string>& augmentation_names();
bool is_augmentation_name(const std::string& name);
/// light: horizontal flip, and a shift by up to 1/16 of the size, black coming in. strong: random
/// resized crop (60-100% of the area), flip, and each by chance: small rotation with shift and
/// scale, colour jitter, grey, blur, one rectangle erased. randaugment: light, then two operations
/// of RandAugment at magnitude 9. Throws ValueError for another name.
Augmentation named_augmentation(const std::string& name);

/// An image of the same size. The same (seed, epoch, sample, occurrence) always gives the same one;
/// `occurrence` counts how often the sample came before in this epoch, where a sampler repeats it.
Image augment(const Image& image, const Augmentation& augmentation, std::uint64_t seed,
              std::int64_t epoch, std::int64_t sample, std::uint32_t occurrence = 0);

}  // namespace hanok::data
