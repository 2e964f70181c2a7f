// Softmax, its logarithm, and cross-entropy.
#include <cmath>

#include "tests/engine/op_check.h"

namespace hanok::testing {
namespace {

/// log softmax along `dim` of a logical row-major array.
Array reference_log_softmax(const Array& x, int dim) {
  std::int64_t outer = 1;
  std::int64_t inner = 1;
  for (int d = 0; d < x.shape.rank(); ++d) {
    if (d < dim) outer *= x.shape[d];
    if (d > dim) inner *= x.shape[d];
  }
  Array y = x;
  for (std::int64_t o = 0; o < outer; ++o) {
    for (std::int64_t i = 0; i < inner; ++i) {
      const auto at = [&](std::int64_t k) {
        return static_cast<std::size_t>((o * x.shape[dim] + k) * inner + i);
      };
      double sum = 0;
      for (std::int64_t k = 0; k < x.shape[dim]; ++k) sum += std::exp(x.values[at(k)]);
      for (std::int64_t k = 0; k < x.shape[dim]; ++k) y.values[at(k)] -= std::log(sum);
    }
  }
  return y;
}

TEST(Softmax, MatchesReferenceAlongEveryDimension) {
  std::uint32_t seed = 0;
  for (const Shape& shape :
       {Shape{1}, Shape{11}, Shape{5, 18}, Shape{3, 1}, Shape{2, 3, 5}, Shape{2, 9, 3, 2}}) {
    for (int dim = 0; dim < shape.rank(); ++dim) {
      const std::string what = shape.to_string() + " along " + std::to_string(dim);
      const Array x = random_array(shape, ++seed, -4, 4);
      // Along a dimension of size 1 the result is constant: a gradient of 0 is compared absolutely.
      check_op(
          "softmax " + what,
          [&](const auto& in) { return ops::softmax(in[0], dim - shape.rank()); },
          [&](const auto& in) {
            Array y = reference_log_softmax(in[0], dim);
            for (double& value : y.values) value = std::exp(value);
            return y;
          },
          {x});
      check_op(
          "log_softmax " + what, [&](const auto& in) { return ops::log_softmax(in[0], dim); },
          [&](const auto& in) { return reference_log_softmax(in[0], dim); }, {x});
    }
  }
}

TEST(Softmax, LargeLogitsDoNotOverflow) {
  const Tensor x = new_from_vector(std::vector<float>{1000, 1001, -1000}, {1, 3});
  const std::vector<float> y = ops::softmax(x, 1).to_vector();
  EXPECT_NEAR(y[0], 1 / (1 + std::exp(1.0)), 1e-6);
  EXPECT_NEAR(y[1], 1 / (1 + std::exp(-1.0)), 1e-6);
  EXPECT_EQ(y[2], 0);
  EXPECT_NEAR(ops::log_softmax(x, 1).to_vector()[2], -2001.3133, 1e-3);
}

using Labels = std::vector<std::int64_t>;

struct Setting {
  const char* what;
  bool weights = false;
  double smoothing = 0;
  ops::Reduction reduction = ops::Reduction::Mean;
  std::optional<double> denominator = std::nullopt;
};

const Setting kSettings[] = {
    {"plain"},
    {"sum", false, 0, ops::Reduction::Sum},
    {"none", false, 0, ops::Reduction::None},
    {"weights", true},
    {"weights, sum", true, 0, ops::Reduction::Sum},
    {"weights, none", true, 0, ops::Reduction::None},
    {"smoothing", false, 0.1},
    {"smoothing and weights", true, 0.25},
    {"denominator", false, 0, ops::Reduction::Mean, 12.5},
    {"denominator and weights", true, 0.1, ops::Reduction::Mean, 12.5},
};

/// PyTorch's definition. `targets` [N,C] are probabilities, rows of zeros for ignored samples;
/// `counted` is each sample's part of the mean's divisor.
Array reference_cross_entropy(const Array& logits, const Array& targets, const Array& weights,
                              const std::vector<double>& counted, const Setting& setting) {
  const Array log_p = reference_log_softmax(logits, 1);
  const std::int64_t classes = logits.size(1);
  Array losses({logits.size(0)});
  double total = 0;
  double divisor = 0;
  for (std::int64_t n = 0; n < logits.size(0); ++n) {
    double mass = 0;
    for (std::int64_t c = 0; c < classes; ++c) mass += targets({n, c});
    for (std::int64_t c = 0; c < classes; ++c) {
      const double q = (1 - setting.smoothing) * targets({n, c}) +
                       (mass == 0 ? 0 : setting.smoothing / static_cast<double>(classes));
      losses({n}) -= weights({c}) * q * log_p({n, c});
    }
    total += losses({n});
    divisor += counted[static_cast<std::size_t>(n)];
  }
  if (setting.reduction == ops::Reduction::None) return losses;
  const bool mean = setting.reduction == ops::Reduction::Mean;
  return Array({}, total / (mean ? setting.denominator.value_or(divisor) : 1));
}

ops::CrossEntropyOptions options_of(const Setting& setting, const Array& weights) {
  ops::CrossEntropyOptions options;
  if (setting.weights) options.class_weights = to_tensor(weights);
  options.label_smoothing = static_cast<float>(setting.smoothing);
  options.reduction = setting.reduction;
  options.denominator = setting.denominator;
  return options;
}

TEST(CrossEntropy, MatchesReferenceForClassTargets) {
  std::uint32_t seed = 200;
  // -100 are ignored samples.
  for (const Labels& labels :
       {Labels{3}, Labels{0, 5, -100, 2, 5}, Labels{1, 4, 4, 0, 2, 3, -100}}) {
    for (Setting setting : kSettings) {
      setting.smoothing = static_cast<float>(setting.smoothing);
      const std::int64_t samples = static_cast<std::int64_t>(labels.size());
      constexpr std::int64_t kClasses = 6;
      const Array weights =
          setting.weights ? random_array({kClasses}, ++seed, 0.5, 2) : Array({kClasses}, 1);
      Array targets({samples, kClasses});
      std::vector<double> counted(labels.size(), 0);
      for (std::int64_t n = 0; n < samples; ++n) {
        const std::int64_t label = labels[static_cast<std::size_t>(n)];
        if (label < 0) continue;
        targets({n, label}) = 1;
        counted[static_cast<std::size_t>(n)] = weights({label});
      }
      check_op(
          std::string("cross_entropy, ") + setting.what,
          [&](const auto& x) {
            return ops::cross_entropy(x[0], new_from_vector(labels, {samples}),
                                      options_of(setting, weights));
          },
          [&](const auto& x) {
            return reference_cross_entropy(x[0], targets, weights, counted, setting);
          },
          {random_array({samples, kClasses}, ++seed, -3, 3)});
    }
  }
}

TEST(CrossEntropy, MatchesReferenceForSoftTargets) {
  std::uint32_t seed = 300;
  for (Setting setting : kSettings) {
    setting.smoothing = static_cast<float>(setting.smoothing);
    constexpr std::int64_t kSamples = 5;
    constexpr std::int64_t kClasses = 7;
    const Array weights =
        setting.weights ? random_array({kClasses}, ++seed, 0.5, 2) : Array({kClasses}, 1);
    Array targets = random_array({kSamples, kClasses}, ++seed, 0, 1);
    for (std::int64_t n = 0; n < kSamples; ++n) {
      double sum = 0;
      for (std::int64_t c = 0; c < kClasses; ++c) sum += targets({n, c});
      for (std::int64_t c = 0; c < kClasses; ++c) {
        targets({n, c}) = static_cast<float>(targets({n, c}) / sum);
      }
    }
    check_op(
        std::string("soft targets, ") + setting.what,
        [&](const auto& x) {
          return ops::cross_entropy(x[0], to_tensor(targets), options_of(setting, weights));
        },
        [&](const auto& x) {
          return reference_cross_entropy(x[0], targets, weights, std::vector<double>(kSamples, 1),
                                         setting);
        },
        {random_array({kSamples, kClasses}, ++seed, -3, 3)});
  }
}

TEST(CrossEntropy, MicroBatchesWithOneDenominatorAddUpToTheBatch) {
  const Array logits = random_array({6, 4}, 400, -3, 3);
  const Labels labels = {0, 3, 2, 1, 1, 3};
  Tensor whole = to_tensor(logits).set_requires_grad(true);
  ops::cross_entropy(whole, new_from_vector(labels, {6})).backward();
  Tensor split = to_tensor(logits).set_requires_grad(true);
  double total = 0;
  for (std::int64_t begin = 0; begin < 6; begin += 2) {
    ops::CrossEntropyOptions options;
    options.denominator = 6;
    const Labels part(labels.begin() + begin, labels.begin() + begin + 2);
    const Tensor loss = ops::cross_entropy(ops::slice(split, 0, begin, begin + 2),
                                           new_from_vector(part, {2}), options);
    total += loss.item();
    loss.backward();
  }
  EXPECT_NEAR(total, ops::cross_entropy(whole, new_from_vector(labels, {6})).item(), 1e-6);
  expect_close(split.grad(), to_array(whole.grad()), 1e-6, "gradient");
}

/// A loss of labels, for all of them; `ignore_index` is theirs.
struct LabelLoss {
  const char* name;
  Tensor (*loss)(const Tensor& logits, const Tensor& labels, std::int64_t ignore_index);
};
const LabelLoss kLabelLosses[] = {
    {"cross_entropy",
     [](const Tensor& logits, const Tensor& labels, std::int64_t ignore_index) {
       return ops::cross_entropy(logits, labels, {.ignore_index = ignore_index});
     }},
    {"focal_loss",
     [](const Tensor& logits, const Tensor& labels, std::int64_t ignore_index) {
       return ops::focal_loss(logits, labels, {.ignore_index = ignore_index});
     }},
};

TEST(LabelLosses, ATargetOutOfRangeIsAnErrorOnTheCpuAndNotANumberOnADevice) {
  Tensor logits = new_zeros({2, 3}).set_requires_grad(true);
  for (const LabelLoss& each : kLabelLosses) {
    for (const std::int64_t wrong : {3, 1000, -1, -99, -101}) {
      const Tensor targets = new_from_vector(Labels{0, wrong}, {2});
      if (!test_device().is_cpu()) {  // whose values the host does not see
        const Tensor loss = each.loss(logits, targets, -100);
        EXPECT_TRUE(std::isnan(loss.item())) << each.name << " " << wrong;
        logits.zero_grad();
        loss.backward();
        for (const float value : logits.grad().to_vector()) EXPECT_TRUE(std::isnan(value));
        continue;
      }
      EXPECT_EQ(message_of<ValueError>([&] { each.loss(logits, targets, -100); }),
                std::string(each.name) + ": target " + std::to_string(wrong) +
                    " of sample 1 is not one of the 3 classes, counted from 0, and not "
                    "ignore_index (-100) (logits [2,3], targets [2])");
    }
  }
}

TEST(LabelLosses, TheIgnoredLabelIsAnArgument) {
  const Array logits = random_array({4, 3}, 500, -3, 3);
  for (const LabelLoss& each : kLabelLosses) {
    // Row 2 is left out under any number for it, also that of a class.
    Tensor three = to_tensor(logits).set_requires_grad(true);
    const Tensor expected =
        each.loss(ops::concat({ops::slice(three, 0, 0, 2), ops::slice(three, 0, 3, 4)}, 0),
                  new_from_vector(Labels{0, 1, 1}, {3}), -100);
    expected.backward();
    for (const std::int64_t ignored : {-100, -1, 2, 7}) {
      Tensor four = to_tensor(logits).set_requires_grad(true);
      const Tensor loss = each.loss(four, new_from_vector(Labels{0, 1, ignored, 1}, {4}), ignored);
      EXPECT_NEAR(loss.item(), expected.item(), 1e-6) << each.name << " " << ignored;
      loss.backward();
      expect_close(four.grad(), to_array(three.grad()), 1e-6, each.name);
    }
  }
}

TEST(LabelLosses, TheMeanOverNothingIsNotANumber) {
  const Tensor logits = new_zeros({2, 3});
  const Tensor ignored = new_from_vector(Labels{-100, -100}, {2});
  for (const LabelLoss& each : kLabelLosses) {
    EXPECT_TRUE(std::isnan(each.loss(logits, ignored, -100).item())) << each.name;
  }
  ops::CrossEntropyOptions weightless;
  weightless.class_weights = new_from_vector(std::vector<float>{0, 1, 1}, {3});
  const Tensor zeros = new_from_vector(Labels{0, 0}, {2});
  EXPECT_TRUE(std::isnan(ops::cross_entropy(logits, zeros, weightless).item()));
}

TEST(CrossEntropy, ErrorsNameTheOpAndAllShapes) {
  const Tensor logits = new_zeros({2, 3});
  EXPECT_EQ(message_of<ShapeError>([&] {
              ops::cross_entropy(logits, new_from_vector(Labels{0, 1, 2}, {3}));
            }),
            "cross_entropy: expected class indices [2] (logits [2,3], targets [3])");
  EXPECT_EQ(message_of<ShapeError>([&] { ops::cross_entropy(logits, new_zeros({2})); }),
            "cross_entropy: soft targets must have the logits' shape (logits [2,3], targets [2])");
  EXPECT_EQ(message_of<DTypeError>([&] { ops::cross_entropy(logits, new_zeros({2}, DType::U8)); }),
            "cross_entropy: targets are u8, expected i64 classes or f32 probabilities");
  ops::CrossEntropyOptions options;
  options.class_weights = new_ones({2});
  EXPECT_EQ(message_of<ShapeError>([&] {
              ops::cross_entropy(logits, new_from_vector(Labels{0, 1}, {2}), options);
            }),
            "cross_entropy: class_weights must be [3] (logits [2,3], targets [2], class_weights "
            "[2])");
  options = {};
  options.label_smoothing = 1.5F;
  EXPECT_EQ(message_of<ValueError>([&] {
              ops::cross_entropy(logits, new_from_vector(Labels{0, 1}, {2}), options);
            }),
            "cross_entropy: label_smoothing is 1.5, expected 0 to 1 (logits [2,3], targets [2])");
  Tensor soft = new_zeros({2, 3}).set_requires_grad(true);
  EXPECT_EQ(message_of<AutogradError>([&] { ops::cross_entropy(logits, soft); }),
            "cross_entropy: targets and class_weights get no gradient; detach() them");
}

}  // namespace
}  // namespace hanok::testing
