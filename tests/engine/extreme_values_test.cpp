// Huge, tiny, constant and missing values: each op gives what double precision gives, rounded to
// f32 (on the CPU denormals count as 0), or an error that names it.
#include <algorithm>
#include <cmath>
#include <gmock/gmock.h>
#include <limits>

#include "tests/engine/op_check.h"

namespace hanok::testing {
namespace {

using ::testing::HasSubstr;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kPi = 3.14159265358979323846;
constexpr double kSmallest = std::numeric_limits<float>::min();  // of the normal numbers

/// Both signs of magnitudes from denormals to f32's end.
std::vector<float> extremes() {
  std::vector<float> values = {0};
  for (const float magnitude :
       {1e-45F, 1e-40F, 1.2e-38F, 1e-30F, 1e-10F, 1e-3F, 0.5F,  1.0F,  2.5F,  3.0F,
        9.0F,   20.0F,  87.0F,    89.0F,  104.0F, 1e4F,  1e10F, 1e19F, 1e30F, 3e38F}) {
    values.push_back(magnitude);
    values.push_back(-magnitude);
  }
  values.push_back(std::numeric_limits<float>::infinity());
  values.push_back(-std::numeric_limits<float>::infinity());
  values.push_back(std::numeric_limits<float>::quiet_NaN());
  return values;
}

/// Denormals are 0 for the CPU's kernels, and a result that is one may be 0.
double flushed(double x) {
  const bool zero = test_device().is_cpu() && std::abs(x) < kSmallest;
  return zero ? std::copysign(0.0, x) : x;
}

/// `found` is `expected` rounded to f32, up to `tolerance` of it (and of 1 if `absolute`).
void expect_rounded(float found, double expected, double tolerance, const std::string& what,
                    double absolute = 0) {
  if (std::isnan(expected)) {
    EXPECT_TRUE(std::isnan(found)) << what << ": " << found;
    return;
  }
  const double largest = std::numeric_limits<float>::max();
  if (std::abs(expected) > largest * (1 + tolerance)) {
    EXPECT_TRUE(std::isinf(found) && std::signbit(found) == std::signbit(expected))
        << what << ": " << found << ", expected " << expected;
    return;
  }
  if (std::isinf(found) && std::abs(expected) > largest * (1 - tolerance)) return;
  EXPECT_NEAR(found, expected, tolerance * std::abs(expected) + absolute + kSmallest)
      << what << ", expected " << expected;
}

struct Function {
  const char* name;
  Tensor (*op)(const Tensor&);
  double (*value)(double);
  double (*derivative)(double);
  double tolerance = 1e-5;  // relative
  double absolute = 0;      // where values cancel, as near zeros of a sine
};

double normal_cdf(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }
double normal_pdf(double x) { return std::exp(-x * x / 2) / std::sqrt(2 * kPi); }
double logistic(double x) { return 1 / (1 + std::exp(-x)); }
/// The limit where a factor has vanished, also at infinity.
double times(double x, double factor) { return factor == 0 && !std::isnan(x) ? 0.0 : x * factor; }

const std::vector<Function>& functions() {
  static const std::vector<Function> all = {
      {"neg", ops::neg, [](double x) { return -x; }, [](double) { return -1.0; }},
      {"exp", ops::exp, [](double x) { return std::exp(x); }, [](double x) { return std::exp(x); }},
      {"log", ops::log, [](double x) { return std::log(x); }, [](double x) { return 1 / x; }},
      {"sqrt", ops::sqrt, [](double x) { return std::sqrt(x); },
       [](double x) { return 0.5 / std::sqrt(x); }},
      {"square", ops::square, [](double x) { return x * x; }, [](double x) { return 2 * x; }},
      {"abs", ops::abs, [](double x) { return std::abs(x); },
       [](double x) { return x == 0 ? 0.0 : x / std::abs(x); }},
      {"reciprocal", ops::reciprocal, [](double x) { return 1 / x; },
       [](double x) { return -1 / x / x; }},
      {"erf", ops::erf, [](double x) { return std::erf(x); },
       [](double x) { return 2 / std::sqrt(kPi) * std::exp(-x * x); }, 2e-5},
      {"relu", ops::relu, [](double x) { return x > 0           ? x
                                                : std::isnan(x) ? x
                                                                : 0.0; },
       [](double x) { return x > 0 ? 1.0 : 0.0; }},
      {"sigmoid", ops::sigmoid, logistic, [](double x) { return logistic(x) * logistic(-x); }, 1e-5,
       1e-7},
      {"tanh", ops::tanh, [](double x) { return std::tanh(x); },
       [](double x) { return 1 - std::tanh(x) * std::tanh(x); }, 1e-5, 3e-7},
      {"silu", ops::silu, [](double x) { return times(x, logistic(x)); },
       [](double x) { return logistic(x) + times(x, logistic(x) * logistic(-x)); }, 2e-5, 1e-6},
      {"gelu", ops::gelu, [](double x) { return times(x, normal_cdf(x)); },
       [](double x) { return normal_cdf(x) + times(x, normal_pdf(x)); }, 2e-5, 1e-6},
      // x * 6 comes first and overflows before x does; 0 * -infinity is no number.
      {"hardswish", ops::hardswish,
       [](double x) { return x > 5e37 ? kInfinity : x * std::clamp(x + 3, 0.0, 6.0) / 6; },
       [](double x) { return x <= -3  ? 0.0
                             : x >= 3 ? 1.0
                                      : (2 * x + 3) / 6; }},
      {"hardsigmoid", ops::hardsigmoid, [](double x) { return std::clamp(x + 3, 0.0, 6.0) / 6; },
       [](double x) { return x <= -3 || x >= 3 ? 0.0 : 1.0 / 6; }},
  };
  return all;
}

TEST(ExtremeValues, ElementwiseOpsAreTheRoundedFunction) {
  const std::vector<float> xs = extremes();
  const Shape shape{static_cast<std::int64_t>(xs.size())};
  for (const Function& function : functions()) {
    Tensor x = new_from_vector(xs, shape).set_requires_grad(true);
    const Tensor y = function.op(x);
    y.backward(new_ones(shape));
    const std::vector<float> found = y.to_vector();
    const std::vector<float> gradient = x.grad().to_vector();
    for (std::size_t i = 0; i < xs.size(); ++i) {
      const double at = flushed(xs[i]);
      const std::string what = std::string(function.name) + "(" + std::to_string(xs[i]) + " or " +
                               std::to_string(static_cast<double>(xs[i]) * 1e30) + "e-30)";
      expect_rounded(found[i], function.value(at), function.tolerance, what, function.absolute);
      if (!std::isfinite(xs[i])) continue;
      expect_rounded(gradient[i], function.derivative(at), function.tolerance, what + "'",
                     function.absolute);
    }
  }
}

TEST(ExtremeValues, ArithmeticIsRoundedOnce) {
  const std::vector<float> values = extremes();
  std::vector<float> as;
  std::vector<float> bs;
  for (const float a : values) {
    for (const float b : values) {
      as.push_back(a);
      bs.push_back(b);
    }
  }
  const Shape shape{static_cast<std::int64_t>(as.size())};
  const Tensor a = new_from_vector(as, shape);
  const Tensor b = new_from_vector(bs, shape);
  const std::vector<float> sum = ops::add(a, b).to_vector();
  const std::vector<float> difference = ops::sub(a, b).to_vector();
  const std::vector<float> product = ops::mul(a, b).to_vector();
  const std::vector<float> quotient = ops::div(a, b).to_vector();
  for (std::size_t i = 0; i < as.size(); ++i) {
    const double x = flushed(as[i]);
    const double y = flushed(bs[i]);
    const std::string what = std::to_string(x) + ", " + std::to_string(y);
    expect_rounded(sum[i], x + y, 1e-7, "sum of " + what);
    expect_rounded(difference[i], x - y, 1e-7, "difference of " + what);
    expect_rounded(product[i], x * y, 1e-7, "product of " + what);
    expect_rounded(quotient[i], x / y, 1e-7, "quotient of " + what);
  }
}

/// log softmax of a row, in double.
std::vector<double> log_softmax(const std::vector<float>& row) {
  double largest = -kInfinity;
  for (const float x : row) largest = std::max(largest, static_cast<double>(x));
  double sum = 0;
  for (const float x : row) sum += std::exp(x - largest);
  std::vector<double> logs;
  for (const float x : row) logs.push_back(x - largest - std::log(sum));
  return logs;
}

TEST(ExtremeValues, SoftmaxAndItsLossesAreFiniteWhereTheMathematicsIs) {
  const std::vector<std::vector<float>> rows = {
      {1e30F, -1e30F, 0},     {-1e30F, -1e30F, -1e30F}, {1e-40F, -1e-40F, 1e-30F},
      {1e38F, 1e38F, -1e38F}, {-3e38F, 0, -3e38F},      {88, 89, 90},
      {-1000, -1001, -1002},  {1e10F, 1e10F, 1e10F},    {0, 0, 0},
  };
  for (const std::vector<float>& row : rows) {
    const std::vector<double> logs = log_softmax(row);
    const std::string what = ::testing::PrintToString(row);
    const Tensor x = new_from_vector(row, {1, 3});
    const std::vector<float> p = ops::softmax(x, 1).to_vector();
    const std::vector<float> log_p = ops::log_softmax(x, 1).to_vector();
    for (std::size_t c = 0; c < 3; ++c) {
      expect_rounded(p[c], std::exp(logs[c]), 1e-5, "softmax " + what);
      expect_rounded(log_p[c], logs[c], 1e-5, "log softmax " + what, 1e-6);
      Tensor logits = new_from_vector(row, {1, 3}).set_requires_grad(true);
      const Tensor loss = ops::cross_entropy(
          logits, new_from_vector(std::vector<std::int64_t>{static_cast<std::int64_t>(c)}, {1}));
      expect_rounded(loss.item(), -logs[c], 1e-5, "cross entropy " + what, 1e-6);
      loss.backward();
      const std::vector<float> gradient = logits.grad().to_vector();
      for (std::size_t i = 0; i < 3; ++i) {
        expect_rounded(gradient[i], std::exp(logs[i]) - (i == c ? 1 : 0), 1e-5,
                       "its gradient " + what, 1e-6);
      }
    }
  }
}

TEST(ExtremeValues, LossesOfHugeAndTinyNumbersAreRounded) {
  for (const float x :
       {0.0F, 1e-40F, 1e-20F, 1e-5F, 30.0F, -30.0F, 200.0F, -200.0F, 1e30F, -1e30F}) {
    for (const float t : {0.0F, 0.25F, 1.0F}) {
      Tensor logit = new_full({1}, x).set_requires_grad(true);
      const Tensor loss = ops::bce_with_logits(logit, new_full({1}, t));
      const double at = flushed(x);
      const double expected = std::max(at, 0.0) - at * t + std::log1p(std::exp(-std::abs(at)));
      expect_rounded(loss.item(), expected, 1e-5, "bce " + std::to_string(x), 1e-6);
      loss.backward();
      expect_rounded(logit.grad().item(), logistic(at) - t, 1e-5, "bce' " + std::to_string(x),
                     1e-6);
      Tensor y = new_full({1}, x).set_requires_grad(true);
      const Tensor absolute = ops::l1_loss(y, new_full({1}, t));
      expect_rounded(absolute.item(), std::abs(at - t), 1e-6, "l1 " + std::to_string(x));
      const Tensor squared = ops::mse_loss(y, new_full({1}, t));
      expect_rounded(squared.item(), (at - t) * (at - t), 1e-6, "mse " + std::to_string(x));
    }
  }
}

TEST(ExtremeValues, ReductionsDoNotOverflowOnTheWay) {
  for (const float scale : {1e-37F, 1e-30F, 1.0F, 1e18F, 1e30F, 2e38F}) {
    std::vector<float> values;
    for (int i = 0; i < 1000; ++i) values.push_back(scale * (i % 2 == 0 ? 1.0F : -0.5F));
    const Tensor x = new_from_vector(values, {1000});
    const std::string what = "scale " + std::to_string(std::log10(scale));
    expect_rounded(ops::mean(x).item(), 0.25 * scale, 1e-5, "mean, " + what);
    expect_rounded(ops::sum(x).item(), 250.0 * scale, 1e-5, "sum, " + what);
    const double variance = 0.5625 * scale * scale * 1000 / 999;
    expect_rounded(ops::var(x).item(), variance, 1e-5, "var, " + what);
  }
}

TEST(ExtremeValues, NormsOfConstantInputsAreTheirShift) {
  for (const float constant : {0.0F, 1e-40F, 1e-20F, 1.0F, -3.25F, 1e6F, 1e18F, 1e30F}) {
    const std::string what = "constant " + std::to_string(constant);
    const Tensor bias = new_from_vector(std::vector<float>{0.5F, -2}, {2});
    const Tensor weight = new_from_vector(std::vector<float>{3, 4}, {2});
    const std::vector<double> shift = {0.5, -2};
    const auto check = [&](const std::string& op,
                           const std::function<Tensor(const Tensor&)>& norm) {
      Tensor x = new_full({3, 2, 5, 5}, constant).set_requires_grad(true);
      const Tensor y = norm(x);
      std::int64_t i = 0;
      for (const float value : y.to_vector()) {
        expect_rounded(value, shift[static_cast<std::size_t>(i++ / 25 % 2)], 1e-5, op + what, 1e-6);
      }
      y.backward(to_tensor(random_array({3, 2, 5, 5}, 5)));
      for (const float value : x.grad().to_vector()) {
        EXPECT_TRUE(std::isfinite(value)) << op << what;
        if (!std::isfinite(value)) break;
      }
    };
    check("batch norm, ", [&](const Tensor& x) {
      ops::BatchNormState state{.weight = weight, .bias = bias};
      return ops::batch_norm(x, state);
    });
    check("group norm, ", [&](const Tensor& x) { return ops::group_norm(x, 2, weight, bias); });
    check("layer norm of channels, ",
          [&](const Tensor& x) { return ops::layer_norm_channels(x, weight, bias); });
  }
}

TEST(ExtremeValues, NormsOfScaledInputsAreTheSame) {
  // From where epsilon hides them to where their squares leave f32.
  const Array plain = random_array({4, 2, 6, 6}, 3);
  const double epsilon = 1e-30;
  const Array expected =
      to_array(ops::batch_norm(to_tensor(plain), ops::BatchNormState{.epsilon = epsilon}));
  for (const double scale : {1e-12, 1e-6, 1.0, 1e6, 1e12, 1e18}) {
    Array scaled = plain;
    for (double& value : scaled.values) value = static_cast<float>(value * scale);
    const Tensor x = to_tensor(scaled);
    const std::string what = "scale " + std::to_string(std::log10(scale));
    expect_close(ops::batch_norm(x, ops::BatchNormState{.epsilon = epsilon}), expected, 1e-5,
                 "batch norm, " + what);
    expect_close(ops::group_norm(x, 1, {}, {}, epsilon),
                 to_array(ops::group_norm(to_tensor(plain), 1, {}, {}, epsilon)), 1e-5,
                 "group norm, " + what);
    expect_close(ops::layer_norm(x, 2, {}, {}, epsilon),
                 to_array(ops::layer_norm(to_tensor(plain), 2, {}, {}, epsilon)), 1e-5,
                 "layer norm, " + what);
  }
}

TEST(ExtremeValues, ConvolutionsOfHugeAndTinyNumbersAreScaled) {
  // A layer for each kind of algorithm: 3x3, strided, 1x1, depthwise, a stem of 7x7.
  struct Layer {
    std::int64_t in, out, kernel, stride, groups;
  };
  for (const Layer& layer : {Layer{32, 32, 3, 1, 1}, Layer{32, 32, 3, 2, 1}, Layer{32, 64, 1, 1, 1},
                             Layer{32, 32, 3, 1, 32}, Layer{3, 16, 7, 2, 1}}) {
    const std::int64_t pad = layer.kernel / 2;
    const Window2d window{layer.stride, layer.stride, pad, pad, 1, 1};
    const Array x = random_array({2, layer.in, 12, 12}, 1);
    const Array w =
        random_array({layer.out, layer.in / layer.groups, layer.kernel, layer.kernel}, 2);
    const auto conv = [&](double scale_x, double scale_w) {
      Array a = x;
      Array b = w;
      for (double& value : a.values) value *= scale_x;
      for (double& value : b.values) value *= scale_w;
      return ops::conv2d(to_tensor(a), to_tensor(b), {}, window, layer.groups);
    };
    const Array plain = to_array(conv(1, 1));
    // Powers of two, which round nothing.
    for (const auto& [power_x, power_w] :
         {std::pair(100, 0), std::pair(100, -100), std::pair(-100, 100), std::pair(-60, -40),
          std::pair(60, 40)}) {
      Array expected = plain;
      for (double& value : expected.values) value = std::ldexp(value, power_x + power_w);
      expect_close(conv(std::ldexp(1.0, power_x), std::ldexp(1.0, power_w)), expected, 1e-5,
                   "conv2d " + std::to_string(layer.kernel) + ", 2^" + std::to_string(power_x) +
                       " and 2^" + std::to_string(power_w));
    }
    // What is too small to be a normal number is 0.
    const Tensor tiny = conv(1e-40, 1);
    for (const float value : tiny.to_vector()) EXPECT_LT(std::abs(value), 1e-37F);
  }
}

// ---- missing values ----

TEST(EmptyBatches, GoThroughOrAreNamed) {
  struct Case {
    const char* name;
    std::function<Tensor(const Tensor&)> op;  // of [0,4,6,6]
    Shape expected;
  };
  const ops::BatchNormState evaluating{
      .running_mean = new_zeros({4}), .running_var = new_ones({4}), .training = false};
  const std::vector<Case> cases = {
      {"relu", [](const Tensor& x) { return ops::relu(x); }, {0, 4, 6, 6}},
      {"add", [](const Tensor& x) { return ops::add(x, x); }, {0, 4, 6, 6}},
      {"conv2d",
       [](const Tensor& x) {
         return ops::conv2d(x, new_ones({8, 4, 3, 3}), {}, {1, 1, 1, 1, 1, 1});
       },
       {0, 8, 6, 6}},
      {"batch_norm", [&](const Tensor& x) { return ops::batch_norm(x, evaluating); }, {0, 4, 6, 6}},
      {"max_pool2d",
       [](const Tensor& x) {
         return ops::max_pool2d(x, 2, 2, {2, 2, 0, 0, 1, 1});
       },
       {0, 4, 3, 3}},
      {"avg_pool2d",
       [](const Tensor& x) {
         return ops::avg_pool2d(x, 2, 2, {2, 2, 0, 0, 1, 1});
       },
       {0, 4, 3, 3}},
      {"adaptive_avg_pool2d",
       [](const Tensor& x) { return ops::adaptive_avg_pool2d(x, 1, 1); },
       {0, 4, 1, 1}},
      {"linear",
       [](const Tensor& x) {
         return ops::linear(ops::flatten(x, 1), new_ones({3, 144}));
       },
       {0, 3}},
      {"softmax", [](const Tensor& x) { return ops::softmax(ops::flatten(x, 1), 1); }, {0, 144}},
      {"group_norm", [](const Tensor& x) { return ops::group_norm(x, 2); }, {0, 4, 6, 6}},
      {"layer_norm", [](const Tensor& x) { return ops::layer_norm(x, 1); }, {0, 4, 6, 6}},
      {"dropout", [](const Tensor& x) { return ops::dropout(x, 0.5F, true); }, {0, 4, 6, 6}},
      {"upsample",
       [](const Tensor& x) { return ops::upsample_bilinear2d(x, 12, 12); },
       {0, 4, 12, 12}},
  };
  for (const Case& op : cases) {
    Tensor x = new_zeros({0, 4, 6, 6}).set_requires_grad(true);
    try {
      const Tensor y = op.op(x);
      EXPECT_EQ(y.shape(), op.expected) << op.name;
      ops::sum(y).backward();
      EXPECT_EQ(x.grad().shape(), x.shape()) << op.name;
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr("[0,4,6,6]")) << op.name;
    }
  }
}

TEST(EmptyBatches, ALossOverNothingIsNotANumberOrNothing) {
  const Tensor logits = new_zeros({0, 3});
  const Tensor targets = new_from_vector(std::vector<std::int64_t>{}, {0});
  EXPECT_TRUE(std::isnan(ops::cross_entropy(logits, targets).item()));
  EXPECT_TRUE(std::isnan(ops::focal_loss(logits, targets).item()));
  ops::CrossEntropyOptions sum;
  sum.reduction = ops::Reduction::Sum;
  EXPECT_EQ(ops::cross_entropy(logits, targets, sum).item(), 0);
  sum.reduction = ops::Reduction::None;
  EXPECT_EQ(ops::cross_entropy(logits, targets, sum).shape(), Shape{0});
}

TEST(BatchesOfOne, BatchNormSaysWhatItLacks) {
  // One value a channel has no variance.
  EXPECT_THAT(message_of<ValueError>([] {
                ops::batch_norm(new_ones({1, 4, 1, 1}), ops::BatchNormState{});
              }),
              HasSubstr("training needs more than 1 value a channel"));
  const Tensor image = ops::batch_norm(new_ones({1, 4, 1, 2}), ops::BatchNormState{});
  EXPECT_EQ(image.to_vector(), std::vector<float>(8, 0));
}

TEST(BatchesOfOne, AreTheFirstOfABatch) {
  const Tensor x = to_tensor(random_array({3, 4, 6, 6}, 1));
  const Tensor first = ops::slice(x, 0, 0, 1);
  const Tensor weight = to_tensor(random_array({8, 4, 3, 3}, 2));
  const auto compare = [&](const char* name, const std::function<Tensor(const Tensor&)>& op) {
    const Tensor batch = ops::slice(op(x), 0, 0, 1);
    expect_close(op(first), to_array(batch), 1e-6, name);
  };
  compare("conv2d", [&](const Tensor& in) {
    return ops::conv2d(in, weight, {}, {1, 1, 1, 1, 1, 1});
  });
  compare("group_norm", [](const Tensor& in) { return ops::group_norm(in, 2); });
  compare("softmax", [](const Tensor& in) { return ops::softmax(ops::flatten(in, 1), 1); });
  compare("max_pool2d", [](const Tensor& in) {
    return ops::max_pool2d(in, 2, 2, {2, 2, 0, 0, 1, 1});
  });
}

}  // namespace
}  // namespace hanok::testing
