// Kernels on 16-bit storage: arithmetic is f32, so the result is the f32 kernel's, rounded once.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "hanok/kernels/backend.h"
#include "hanok/kernels/base/half.h"
#include "hanok/kernels/cuda/gemm/gemm.h"
#include "hanok/kernels/cuda/ops/epilogue.h"
#include "tests/cuda/kernels/device.h"

namespace hanok {
namespace {

using test::DeviceArray;
using test::DeviceContext;
using test::test_data;

template <typename T>
T from_float(float x) {
  if constexpr (std::is_same_v<T, float>) {
    return x;
  } else if constexpr (std::is_same_v<T, F16>) {
    return to_f16(x);
  } else {
    return to_bf16(x);
  }
}
float widen(float x) { return x; }
float widen(F16 x) { return to_float(x); }
float widen(BF16 x) { return to_float(x); }
template <typename T>
constexpr DType type_of() {
  return std::is_same_v<T, float> ? DType::F32 : std::is_same_v<T, F16> ? DType::F16 : DType::BF16;
}

/// Values on the device in storage T.
template <typename T>
DeviceArray<T> stored(const std::vector<float>& values) {
  std::vector<T> narrow;
  for (const float x : values) narrow.push_back(from_float<T>(x));
  return DeviceArray<T>(narrow, type_of<T>());
}
template <typename T>
std::vector<float> widened(const DeviceArray<T>& array) {
  std::vector<float> result;
  for (const T x : array.values()) result.push_back(widen(x));
  return result;
}

class StorageKernels : public test::OnDevice {};

/// Runs compute in f32, f16 and bf16. It gets inputs that every type holds exactly; its outputs
/// (`stored` ones first) in a 16-bit type are those of f32, rounded.
template <typename Compute>
void compare(std::size_t stored_outputs, const Compute& compute) {
  const auto check = [&](auto storage) {
    using T = decltype(storage);
    const std::vector<std::vector<float>> want = compute(float{});
    const std::vector<std::vector<float>> got = compute(T{});
    ASSERT_EQ(got.size(), want.size());
    for (std::size_t o = 0; o < want.size(); ++o) {
      ASSERT_EQ(got[o].size(), want[o].size());
      for (std::size_t i = 0; i < want[o].size(); ++i) {
        const bool rounded = o < stored_outputs;
        const float expected = rounded ? widen(from_float<T>(want[o][i])) : want[o][i];
        // Sums of other types are cut into other blocks.
        ASSERT_NEAR(got[o][i], expected, (rounded ? 1e-6 : 1e-5) * (1 + std::fabs(expected)))
            << name_of(type_of<T>()) << " output " << o << " element " << i;
      }
    }
  };
  check(F16{});
  check(BF16{});
}

/// Multiples of 1/16 in [-4, 4): exact in every type.
std::vector<float> exact_data(std::int64_t n, std::uint64_t seed) {
  std::vector<float> data = test_data(n, seed, 0, 64);
  for (float& x : data) x = std::floor(x) / 16;
  return data;
}

constexpr std::int64_t kRows = 67;

TEST_F(StorageKernels, BatchNorm) {
  for (const std::int64_t channels : {1, 19, 32, 40}) {
    const std::vector<float> x = exact_data(kRows * channels, 1);
    const std::vector<float> dy = exact_data(kRows * channels, 2);
    const std::vector<float> residual = exact_data(kRows * channels, 3);
    const std::vector<float> y_for_gate = exact_data(kRows * channels, 7);
    const std::vector<float> parameters = test_data(4 * channels, 4, 1, 0.5F);
    const Shape shape{kRows, channels};
    compare(3, [&](auto storage) {
      using T = decltype(storage);
      DeviceContext context;
      const auto dx = stored<T>(x), ddy = stored<T>(dy), dresidual = stored<T>(residual);
      const auto gate = stored<T>(y_for_gate);
      const auto y = stored<T>(x), out = stored<T>(x), g = stored<T>(x);
      const DeviceArray<float> p(parameters);
      const DeviceArray<float> sums(std::vector<float>(static_cast<std::size_t>(2 * channels)));
      const DeviceArray<float> moments(std::vector<float>(static_cast<std::size_t>(2 * channels)));
      const auto parameter = [&](std::int64_t i) {
        return View{p.view().f32() + i * channels, DType::F32, {channels}};
      };
      cuda::run(context,
                BatchNormStatistics{dx.view(shape), kRows, channels, moments.view({2, channels})});
      BatchNormApply apply;
      apply.x = dx.view(shape);
      apply.mean = parameter(0);
      apply.invstd = parameter(1);
      apply.gamma = parameter(2);
      apply.beta = parameter(3);
      apply.residual = dresidual.view(shape);
      apply.activation = Activation::Relu;
      apply.y = y.view(shape);
      cuda::run(context, apply);
      BatchNormBackward backward;
      backward.x = dx.view(shape);
      backward.y = gate.view(shape);
      backward.dy = ddy.view(shape);
      backward.mean = parameter(0);
      backward.invstd = parameter(1);
      backward.gamma = parameter(2);
      backward.activation = Activation::Relu;
      backward.dx = out.view(shape);
      backward.dresidual = g.view(shape);
      backward.dgamma = {sums.view().data, DType::F32, {channels}};
      backward.dbeta = {sums.view().f32() + channels, DType::F32, {channels}};
      cuda::run(context, backward);
      return std::vector<std::vector<float>>{widened(y), widened(out), widened(g), sums.values(),
                                             moments.values()};
    });
  }
}

TEST_F(StorageKernels, SoftmaxAlongRowsAndColumns) {
  struct Sizes {
    std::int64_t outer, length, inner;
  };
  for (const Sizes s : {Sizes{5, 33, 1}, Sizes{2, 700, 1}, Sizes{3, 7, 31}}) {
    const Shape shape{s.outer, s.length, s.inner};
    const std::vector<float> x = exact_data(shape.numel(), 1);
    const std::vector<float> dy = exact_data(shape.numel(), 2);
    for (const bool log : {false, true}) {
      compare(2, [&](auto storage) {
        using T = decltype(storage);
        DeviceContext context;
        const Lanes lanes{s.outer, s.length, s.inner};
        const auto dx = stored<T>(x), gradient = stored<T>(dy), y = stored<T>(x), d = stored<T>(x);
        cuda::run(context, Softmax{log, dx.view(shape), lanes, y.view(shape)});
        cuda::run(context,
                  SoftmaxBackward{log, dx.view(shape), gradient.view(shape), lanes, d.view(shape)});
        return std::vector<std::vector<float>>{widened(y), widened(d)};
      });
    }
  }
}

TEST_F(StorageKernels, Pooling) {
  for (const std::int64_t channels : {3, 8}) {
    Pool2dShape s;
    s.n = 2;
    s.c = channels;
    s.h = 9;
    s.w = 7;
    s.r = 3;
    s.s = 2;
    s.window = {2, 1, 1, 0, 1, 1};
    s.count_include_pad = false;
    const std::vector<float> x = exact_data(s.input_shape().numel(), 1);
    const std::vector<float> dy = exact_data(s.output_shape().numel(), 2);
    const Shape adaptive{2, channels, 4, 3};
    compare(6, [&](auto storage) {
      using T = decltype(storage);
      DeviceContext context;
      const auto in = stored<T>(x), gradient = stored<T>(dy);
      const auto most = stored<T>(dy), mean = stored<T>(dy);
      const auto dmost = stored<T>(x), dmean = stored<T>(x), dadaptive = stored<T>(x);
      const auto adapted =
          stored<T>(std::vector<float>(static_cast<std::size_t>(adaptive.numel())));
      const DeviceArray<std::uint8_t> indices(
          std::vector<std::uint8_t>(static_cast<std::size_t>(s.output_shape().numel())));
      const View taps = indices.view(s.output_shape());
      cuda::run(context, MaxPool2d{s, in.view(s.input_shape()), most.view(s.output_shape()), taps});
      cuda::run(context, MaxPool2dBackward{s, gradient.view(s.output_shape()), taps,
                                           dmost.view(s.input_shape())});
      cuda::run(context, AvgPool2d{s, in.view(s.input_shape()), mean.view(s.output_shape())});
      cuda::run(context,
                AvgPool2dBackward{s, gradient.view(s.output_shape()), dmean.view(s.input_shape())});
      cuda::run(context, AdaptiveAvgPool2d{in.view(s.input_shape()), adapted.view(adaptive)});
      // The first elements of the input stand for a gradient of the adaptive windows.
      cuda::run(context,
                AdaptiveAvgPool2dBackward{in.view(adaptive), dadaptive.view(s.input_shape())});
      return std::vector<std::vector<float>>{widened(most),  widened(dmost),   widened(mean),
                                             widened(dmean), widened(adapted), widened(dadaptive)};
    });
  }
}

TEST_F(StorageKernels, EpilogueAndSumOfRows) {
  for (const std::int64_t channels : {5, 16}) {
    const Shape shape{kRows, channels};
    const std::vector<float> product = exact_data(shape.numel(), 1);
    const std::vector<float> residual = exact_data(shape.numel(), 2);
    const std::vector<float> parameters = test_data(2 * channels, 3, 1, 0.5F);
    for (int bits = 0; bits < 16; ++bits) {
      const auto run = [&](auto storage) {
        using T = decltype(storage);
        DeviceContext context;
        const auto y = stored<T>(product), added = stored<T>(residual);
        const DeviceArray<float> p(parameters);
        const DeviceArray<float> sums(std::vector<float>(static_cast<std::size_t>(channels)));
        Epilogue e;
        if (bits & 1) e.scale = {p.view().data, DType::F32, {channels}};
        if (bits & 2) e.shift = {p.view().f32() + channels, DType::F32, {channels}};
        if (bits & 4) e.residual = added.view(shape);
        if (bits & 8) e.activation = Activation::Relu;
        cuda::run(context, SumRows{y.view(shape), kRows, channels, sums.view()});
        cuda::apply_epilogue(context, e, kRows, channels, y.view(shape));
        return std::vector<std::vector<float>>{widened(y), sums.values()};
      };
      compare(1, run);
      const std::vector<float> got = run(float{})[0];
      for (std::size_t i = 0; i < got.size(); ++i) {
        const std::size_t c = i % static_cast<std::size_t>(channels);
        double want = product[i];
        if (bits & 1) want *= parameters[c];
        if (bits & 2) want += parameters[static_cast<std::size_t>(channels) + c];
        if (bits & 4) want += residual[i];
        if (bits & 8) want = std::max(want, 0.0);
        ASSERT_NEAR(got[i], want, 2e-6) << "bits " << bits << " element " << i;
      }
    }
  }
}

TEST_F(StorageKernels, EpilogueLeavesMomentsOfWhatItStored) {
  const std::int64_t channels = 6;
  const Shape shape{kRows, channels};
  const std::vector<float> product = test_data(shape.numel(), 1, 3);
  DeviceContext context;
  const DeviceArray<float> y(product);
  const DeviceArray<float> moments(std::vector<float>(2 * channels));
  Epilogue e;
  e.activation = Activation::Relu;
  e.bn_mean_var = moments.view({2, channels});
  cuda::apply_epilogue(context, e, kRows, channels, y.view(shape));
  std::vector<double> want(2 * channels);
  const std::vector<float> stored_y = y.values();
  for (std::size_t i = 0; i < stored_y.size(); ++i)
    want[i % channels] += stored_y[i] / double{kRows};
  for (std::size_t i = 0; i < stored_y.size(); ++i) {
    const double d = stored_y[i] - want[i % channels];
    want[channels + i % channels] += d * d / double{kRows};
  }
  EXPECT_LE(test::error_over_rms(moments.values(), want), 1e-6);
}

TEST_F(StorageKernels, RefuseWhatTheyCannotStore) {
  DeviceContext context;
  const DeviceArray<double> x(std::vector<double>(6));
  const DeviceArray<float> out(std::vector<float>(6));
  EXPECT_THROW(cuda::run(context, Softmax{false, x.view(), {2, 3, 1}, x.view()}), DTypeError);
  EXPECT_THROW(cuda::run(context, Softmax{false, x.view(), {2, 3, 1}, out.view()}), DTypeError);
  EXPECT_THROW(cuda::run(context, BatchNormStatistics{x.view(), 2, 3, out.view()}), DTypeError);
  EXPECT_THROW(cuda::run(context, SumRows{x.view(), 2, 3, out.view()}), DTypeError);
  EXPECT_THROW(cuda::apply_epilogue(context, {{}, {}, {}, Activation::Relu, {}}, 2, 3, x.view()),
               DTypeError);
}

TEST_F(StorageKernels, CrossEntropyMarksATargetOutOfRange) {
  DeviceContext context;
  const DeviceArray<float> logits({1, 2, 3, 4, 5, 6});
  const DeviceArray<float> losses({0, 0}), weights({0, 0}), scale({1, 1});
  const DeviceArray<float> gradient(std::vector<float>(6));
  for (const std::int64_t wrong : {3, -1}) {
    const DeviceArray<std::int64_t> targets({2, wrong});
    CrossEntropyLoss op;
    op.logits = logits.view({2, 3});
    op.targets = targets.view();
    cuda::run(context, CrossEntropy{op, losses.view(), weights.view()});
    cuda::run(context, CrossEntropyBackward{op, scale.view(), gradient.view({2, 3})});
    EXPECT_TRUE(std::isfinite(losses.values()[0]));
    EXPECT_EQ(weights.values()[0], 1);
    EXPECT_TRUE(std::isnan(losses.values()[1]));
    EXPECT_TRUE(std::isnan(weights.values()[1]));
    for (std::size_t i = 0; i < 6; ++i) EXPECT_EQ(std::isnan(gradient.values()[i]), i >= 3) << i;
  }
}

}  // namespace
}  // namespace hanok
