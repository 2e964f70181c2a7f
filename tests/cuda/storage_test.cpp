// Kernels over activations with every storage type, on aligned and unaligned memory and for sizes
// around a pack, a warp and a block's share. (tests/kernels covers f32.)
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <gtest/gtest.h>
#include <string>
#include <tuple>
#include <vector>

#include "tests/cuda/device_array.h"
#include "tests/kernels/kernel_context.h"

namespace hanok {
namespace {

using test::DeviceArray;

/// (storage type, offset of views from the alignment in elements)
class Storage : public ::testing::TestWithParam<std::tuple<DType, int>> {
 protected:
  void SetUp() override {
    if (!test::cuda_is_here()) GTEST_SKIP() << "no CUDA device";
    cuda_ = std::make_unique<test::CudaContext>();
  }

  static DType dtype() { return std::get<0>(GetParam()); }
  static std::size_t shift() { return static_cast<std::size_t>(std::get<1>(GetParam())); }
  /// n numbers around `mean` that the type represents exactly.
  static std::vector<double> data(std::int64_t n, std::uint64_t seed, float mean = 0) {
    const std::vector<float> values = test::test_data(n, seed, mean, 2);
    return test::decode(test::encode({values.begin(), values.end()}, dtype()), dtype());
  }
  DeviceArray array(const std::vector<double>& values) const { return {values, dtype(), shift()}; }
  DeviceArray zeros(std::int64_t n) const {
    return array(std::vector<double>(static_cast<std::size_t>(n), 99.0));
  }
  /// One rounding to the type, plus f32's error before it.
  static void expect_close(const std::vector<double>& got, const std::vector<double>& want) {
    ASSERT_EQ(got.size(), want.size());
    const double epsilon = dtype() == DType::F32   ? 1e-6
                           : dtype() == DType::F16 ? 1.01 / 2048
                                                   : 1.01 / 256;
    for (std::size_t i = 0; i < want.size(); ++i) {
      ASSERT_NEAR(got[i], want[i], epsilon * std::abs(want[i]) + 1e-6) << i;
    }
  }

  Backend& backend() { return cuda_->backend(); }
  ExecContext& context() { return *cuda_; }

 private:
  std::unique_ptr<test::CudaContext> cuda_;
};

INSTANTIATE_TEST_SUITE_P(Types, Storage,
                         ::testing::Combine(::testing::Values(DType::F32, DType::F16, DType::BF16),
                                            ::testing::Values(0, 1)),
                         [](const auto& info) {
                           return std::string(name_of(std::get<0>(info.param))) +
                                  (std::get<1>(info.param) == 0 ? "" : "_unaligned");
                         });

constexpr std::int64_t kSizes[] = {1, 31, 33, 1025, 2049};

TEST_P(Storage, Unary) {
  for (const std::int64_t n : kSizes) {
    const std::vector<double> x = data(n, 1);
    std::vector<double> want;
    for (const double v : x) want.push_back(0.5 * v * std::erfc(-v / std::sqrt(2.0)));
    const DeviceArray on_device = array(x);
    const DeviceArray y = zeros(n);
    backend().run(context(), Unary{UnaryOp::Gelu, {}, on_device.view(), y.view()});
    expect_close(y.values(), want);
  }
}

TEST_P(Storage, UnaryBackward) {
  for (const std::int64_t n : kSizes) {
    const std::vector<double> x = data(n, 1);
    const std::vector<double> dy = data(n, 2);
    std::vector<double> square;
    std::vector<double> negative;
    for (std::size_t i = 0; i < x.size(); ++i) {
      square.push_back(2 * x[i] * dy[i]);
      negative.push_back(-dy[i]);
    }
    const DeviceArray value = array(x);
    const DeviceArray gradient = array(dy);
    const DeviceArray dx = zeros(n);
    backend().run(context(),
                  UnaryBackward{UnaryOp::Square, {}, value.view(), {}, gradient.view(), dx.view()});
    expect_close(dx.values(), square);
    backend().run(context(), UnaryBackward{UnaryOp::Neg, {}, {}, {}, gradient.view(), dx.view()});
    expect_close(dx.values(), negative);
  }
}

TEST_P(Storage, BinaryAndSelectBroadcast) {
  struct Case {
    std::int64_t rows, channels;
  };
  for (const Case& c : {Case{1, 1}, Case{1, 1025}, Case{31, 33}, Case{33, 16}, Case{129, 64}}) {
    const std::int64_t n = c.rows * c.channels;
    const Shape sizes{c.rows, c.channels};
    const std::vector<double> a = data(n, 1);
    const std::vector<double> b = data(c.channels, 2);
    std::vector<double> conditions;
    std::vector<double> sum;
    std::vector<double> chosen;
    for (std::size_t i = 0; i < a.size(); ++i) {
      conditions.push_back(i % 3 == 1 ? 1 : 0);
      sum.push_back(a[i] + b[i % b.size()]);
      chosen.push_back(i % 3 == 1 ? a[i] : b[i % b.size()]);
    }
    const DeviceArray left = array(a);
    const DeviceArray right = array(b);
    const DeviceArray condition(conditions, DType::U8, shift());
    const DeviceArray out = zeros(n);
    const Strides dense{c.channels, 1};
    const Strides by_channel{0, 1};
    backend().run(context(), Binary{BinaryOp::Add, left.strided(sizes, dense),
                                    right.strided(sizes, by_channel), out.view(sizes)});
    expect_close(out.values(), sum);
    backend().run(context(), Select{condition.strided(sizes, dense), left.strided(sizes, dense),
                                    right.strided(sizes, by_channel), out.view(sizes)});
    expect_close(out.values(), chosen);
  }
}

TEST_P(Storage, AddScaled) {
  for (const std::int64_t n : kSizes) {
    const std::vector<double> x = data(n, 1);
    const std::vector<double> y = data(n, 2);
    std::vector<double> want;
    for (std::size_t i = 0; i < x.size(); ++i) want.push_back(y[i] - 0.25 * x[i]);
    const DeviceArray added = array(x);
    const DeviceArray sums = array(y);
    backend().run(context(), AddScaled{-0.25F, added.view(), sums.view()});
    expect_close(sums.values(), want);
  }
}

TEST_P(Storage, Fill) {
  for (const std::int64_t n : kSizes) {
    const DeviceArray out = zeros(n);
    backend().run(context(), Fill{out.view(), -1.375});
    EXPECT_EQ(out.values(), std::vector<double>(static_cast<std::size_t>(n), -1.375));
  }
}

TEST_P(Storage, CastFromAndToEveryType) {
  const DType types[] = {DType::F32, DType::F64, DType::F16, DType::BF16, DType::U8, DType::I64};
  for (const std::int64_t n : {1, 31, 1025}) {
    std::vector<double> numbers;
    for (std::int64_t i = 0; i < n; ++i) numbers.push_back(static_cast<double>(i % 251));
    const DeviceArray source = array(numbers);
    for (const DType type : types) {
      const DeviceArray other(std::vector<double>(numbers.size(), 7.0), type, shift());
      const DeviceArray back = zeros(n);
      backend().run(context(), Cast{other.view(), source.view()});
      backend().run(context(), Cast{back.view(), other.view()});
      EXPECT_EQ(other.values(), numbers) << name_of(type);
      EXPECT_EQ(back.values(), numbers) << name_of(type);
    }
  }
}

TEST_P(Storage, NormalizeU8) {
  const std::vector<double> mean{0.5, 0.25, 0.375};
  const std::vector<double> stddev{0.25, 0.5, 0.125};
  for (const std::int64_t pixels : {1, 11, 342, 683}) {
    std::vector<double> x;
    std::vector<double> want;
    for (std::int64_t i = 0; i < pixels * 3; ++i) {
      const auto c = static_cast<std::size_t>(i % 3);
      x.push_back(static_cast<double>(i * 37 % 256));
      want.push_back((x.back() / 255 - mean[c]) / stddev[c]);
    }
    const DeviceArray image(x, DType::U8, shift());
    const DeviceArray means(mean, DType::F32);
    const DeviceArray deviations(stddev, DType::F32);
    const DeviceArray y = zeros(pixels * 3);
    const Shape shape{1, 3, 1, pixels};
    backend().run(context(),
                  NormalizeU8{image.view(shape), means.view(), deviations.view(), y.view(shape)});
    expect_close(y.values(), want);
  }
}

TEST_P(Storage, RandomNumbersAreTheGeneratorsWords) {
  const DeviceArray position({3, 77}, DType::I64);
  const RandomCall call{philox_key(42, RandomStream::Test), position.view(), 5};
  for (const std::int64_t n : kSizes) {
    std::vector<double> units;
    std::vector<double> normal;
    for (std::int64_t i = 0; i < n; ++i) {
      const auto words = philox(call.key, {3, 77, 5, static_cast<std::uint32_t>(i / 4)});
      units.push_back(static_cast<double>(to_unit_float(words[static_cast<std::size_t>(i % 4)])));
      const auto pair = static_cast<std::size_t>(i % 4 / 2 * 2);
      const double radius = std::sqrt(-2 * std::log((words[pair] + 0.5) * 0x1p-32));
      const double angle = 2 * 3.14159265358979323846 * words[pair + 1] * 0x1p-32;
      normal.push_back(3 + 2 * radius * (i % 2 == 0 ? std::cos(angle) : std::sin(angle)));
    }
    const std::vector<double> x = data(n, 1);
    std::vector<double> kept;
    std::vector<double> uniform;
    for (std::size_t i = 0; i < x.size(); ++i) {
      kept.push_back(units[i] >= 0.5 ? 2 * x[i] : 0);
      uniform.push_back(-2 + 6 * units[i]);
    }
    const DeviceArray input = array(x);
    const DeviceArray out = zeros(n);
    backend().run(context(), Dropout{call, 0.5F, input.view(), out.view()});
    expect_close(out.values(), kept);
    backend().run(context(), RandomUniform{call, -2, 4, out.view()});
    expect_close(out.values(), uniform);
    backend().run(context(), RandomNormal{call, 3, 2, out.view()});
    expect_close(out.values(), normal);
  }
}

TEST_P(Storage, ReduceInEveryLayoutOfThreads) {
  struct Case {
    Shape sizes;
    std::uint32_t dims;
  };
  const Case cases[] = {
      {{33, 31}, 0b10},     // 8 threads per row
      {{129, 70}, 0b10},    // a warp per row
      {{3, 1027}, 0b10},    // a block per row
      {{1, 10001}, 0b10},   // parts of a row per block
      {{33, 31}, 0b01},     // columns
      {{1027, 33}, 0b01},   // parts of columns
      {{5, 3, 35}, 0b101},  // reduced dimensions that cannot be merged
  };
  for (const Case& c : cases) {
    const std::vector<double> x = data(c.sizes.numel(), 1, 1);
    std::int64_t kept = 1;
    for (int dim = 0; dim < c.sizes.rank(); ++dim) {
      if (((c.dims >> dim) & 1U) == 0) kept *= c.sizes[dim];
    }
    std::vector<double> want(static_cast<std::size_t>(kept));
    for (std::size_t i = 0; i < x.size(); ++i) {
      auto rest = static_cast<std::int64_t>(i);
      std::int64_t at = 0;
      std::int64_t step = 1;
      for (int dim = c.sizes.rank() - 1; dim >= 0; --dim) {
        if (((c.dims >> dim) & 1U) == 0) {
          at += rest % c.sizes[dim] * step;
          step *= c.sizes[dim];
        }
        rest /= c.sizes[dim];
      }
      want[static_cast<std::size_t>(at)] +=
          x[i] * static_cast<double>(kept) / static_cast<double>(c.sizes.numel());
    }
    const DeviceArray on_device = array(x);
    const DeviceArray out = zeros(kept);
    backend().run(context(),
                  Reduce{ReduceOp::Mean, on_device.strided(c.sizes, row_major_strides(c.sizes)),
                         c.dims, out.view()});
    expect_close(out.values(), want);
  }
}

TEST_P(Storage, AlongALength) {
  struct Case {
    std::int64_t outer, length, inner;
  };
  for (const Case& c : {Case{1, 1, 1}, Case{31, 33, 1}, Case{2, 9, 33}}) {
    const Shape in{c.outer, c.length, c.inner};
    const Shape lanes{c.outer, c.inner};
    const std::vector<double> x = data(in.numel(), 1);
    const DeviceArray on_device = array(x);
    const DeviceArray largest = zeros(lanes.numel());
    const DeviceArray where(std::vector<double>(static_cast<std::size_t>(lanes.numel())),
                            DType::I64);
    const DeviceArray scattered = zeros(in.numel());
    backend().run(context(), MaxAlong{on_device.view(in),
                                      {c.outer, c.length, c.inner},
                                      largest.view(lanes),
                                      where.view(lanes)});
    backend().run(context(), ScatterAlong{largest.view(lanes),
                                          where.view(lanes),
                                          {c.outer, c.length, c.inner},
                                          scattered.view(in)});
    std::vector<double> want(x.size());
    for (std::int64_t lane = 0; lane < lanes.numel(); ++lane) {
      std::size_t best = 0;
      double value = -1e9;
      for (std::int64_t l = 0; l < c.length; ++l) {
        const auto at =
            static_cast<std::size_t>((lane / c.inner * c.length + l) * c.inner + lane % c.inner);
        if (x[at] > value) {
          value = x[at];
          best = at;
        }
      }
      want[best] = value;
    }
    EXPECT_EQ(scattered.values(), want);
  }
}

TEST_P(Storage, AnIndexOutsideGivesNotANumberAndNoGradient) {
  for (const bool shared : {true, false}) {
    const GatherShape shape{1, 3, 4, 1, shared};
    const DeviceArray x = array({1, 2, 3});
    const DeviceArray indices({2, 3, -1, 0}, DType::I64);
    const DeviceArray y = zeros(4);
    backend().run(context(), Gather{shape, x.view(), indices.view(), y.view()});
    const std::vector<double> picked = y.values();
    EXPECT_EQ(picked[0], 3);
    EXPECT_TRUE(std::isnan(picked[1]) && std::isnan(picked[2]));
    EXPECT_EQ(picked[3], 1);
    const DeviceArray dy({1, 2, 4, 8}, DType::F32);
    const DeviceArray dx({9, 9, 9}, DType::F32);
    backend().run(context(), GatherBackward{shape, dy.view(), indices.view(), dx.view()});
    EXPECT_EQ(dx.values(), (std::vector<double>{8, 0, 1}));
  }
}

TEST(CudaTensorLists, SpanSeveralLaunches) {
  if (!test::cuda_is_here()) GTEST_SKIP() << "no CUDA device";
  test::CudaContext cuda;
  // More tensors than fit into a launch's parameters, including empty ones and one of several
  // blocks.
  std::vector<std::unique_ptr<DeviceArray>> parameters;
  std::vector<std::unique_ptr<DeviceArray>> gradients;
  std::vector<OptimizerSlot> slots;
  std::vector<ConstView> views;
  std::vector<std::vector<double>> start;
  double squares = 0;
  for (std::size_t i = 0; i < 400; ++i) {
    const std::int64_t n = i == 7 ? 20001 : static_cast<std::int64_t>(i % 4);
    const std::vector<float> p = test::test_data(n, i);
    const std::vector<float> g = test::test_data(n, 1000 + i);
    start.emplace_back(p.begin(), p.end());
    parameters.push_back(std::make_unique<DeviceArray>(start.back(), DType::F32));
    gradients.push_back(
        std::make_unique<DeviceArray>(std::vector<double>(g.begin(), g.end()), DType::F32, i % 2));
    slots.push_back({parameters.back()->view(), gradients.back()->view(), {}, {}});
    views.emplace_back(gradients.back()->view());
    for (const float value : g) squares += static_cast<double>(value) * static_cast<double>(value);
  }
  const DeviceArray rate({0.5}, DType::F32);
  const DeviceArray step({1}, DType::I64);
  const DeviceArray norm({0}, DType::F32);
  cuda.backend().run(cuda, L2Norm{views, norm.view()});
  EXPECT_NEAR(norm.values()[0], std::sqrt(squares), 1e-6 * std::sqrt(squares));
  SgdStep sgd;
  sgd.learning_rate = rate.view();
  sgd.step = step.view();
  sgd.slots = slots;
  cuda.backend().run(cuda, sgd);
  for (std::size_t i = 0; i < slots.size(); ++i) {
    const std::vector<double> after = parameters[i]->values();
    const std::vector<double> gradient = gradients[i]->values();
    for (std::size_t j = 0; j < after.size(); ++j) {
      ASSERT_NEAR(after[j], start[i][j] - 0.5 * gradient[j], 1e-6) << i << " " << j;
    }
  }
}

}  // namespace
}  // namespace hanok
