#include <algorithm>
#include <cmath>
#include <cstdint>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "hanok/kernels/base/error.h"
#include "hanok/kernels/base/half.h"
#include "tests/kernels/backend_runs.h"

namespace hanok {
namespace {

struct BatchNormCase {
  std::int64_t rows, channels;
  float mean = 0.5F, range = 2;
};

std::string name_of_case(const ::testing::TestParamInfo<BatchNormCase>& info) {
  return "Rows" + std::to_string(info.param.rows) + "Channels" +
         std::to_string(info.param.channels) + (info.param.range > 100 ? "LargeRange" : "") +
         (info.param.mean > 100 ? "LargeMean" : "");
}

/// Inputs and double-precision results of one batch norm.
struct Problem {
  explicit Problem(const BatchNormCase& c) : rows(c.rows), channels(c.channels) {
    const std::int64_t n = rows * channels;
    x = test::test_data(n, 1, c.mean, c.range);
    dy = test::test_data(n, 2, 0.25F, 1);
    residual = test::test_data(n, 3, 0, 1);
    gamma = test::test_data(channels, 4, 1, 0.5F);
    beta = test::test_data(channels, 5, 0, 0.5F);
    exact_mean.resize(static_cast<std::size_t>(channels));
    exact_var.resize(static_cast<std::size_t>(channels));
    for (std::int64_t i = 0; i < n; ++i) {
      exact_mean[channel(i)] += x[at(i)] / static_cast<double>(rows);
    }
    for (std::int64_t i = 0; i < n; ++i) {
      const double d = x[at(i)] - exact_mean[channel(i)];
      exact_var[channel(i)] += d * d / static_cast<double>(rows);
    }
    for (std::int64_t c2 = 0; c2 < channels; ++c2) {
      mean.push_back(static_cast<float>(exact_mean[at(c2)]));
      invstd.push_back(static_cast<float>(1 / std::sqrt(exact_var[at(c2)] + 1e-5)));
    }
  }

  static std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }
  std::size_t channel(std::int64_t i) const { return static_cast<std::size_t>(i % channels); }
  Shape shape() const { return {rows, channels}; }
  double xhat(std::size_t i) const {
    return (static_cast<double>(x[i]) - mean[i % at(channels)]) * invstd[i % at(channels)];
  }
  double output(std::size_t i, bool with_residual, bool relu) const {
    const std::size_t c = i % at(channels);
    const double y = gamma[c] * xhat(i) + beta[c] + (with_residual ? residual[i] : 0.0F);
    return relu ? std::max(y, 0.0) : y;
  }

  std::int64_t rows, channels;
  std::vector<float> x, dy, residual, gamma, beta, mean, invstd;
  std::vector<double> exact_mean, exact_var;
};

class BatchNorm : public ::testing::TestWithParam<BatchNormCase> {};
INSTANTIATE_TEST_SUITE_P(Shapes, BatchNorm,
                         ::testing::Values(BatchNormCase{1, 5}, BatchNormCase{2, 1},
                                           BatchNormCase{37, 3}, BatchNormCase{1000, 19},
                                           BatchNormCase{5003, 64}, BatchNormCase{100, 517},
                                           BatchNormCase{40001, 1},
                                           BatchNormCase{3001, 21, 10, 1000},
                                           BatchNormCase{3001, 16, 1000, 0.01F}),
                         name_of_case);

TEST_P(BatchNorm, StatisticsMatchTwoPassesInDouble) {
  const Problem p(GetParam());
  test::on_every_path(
      [&](Backend& backend, ExecContext& context) {
        std::vector<float> mean_var(static_cast<std::size_t>(2 * p.channels));
        backend.run(context, BatchNormStatistics{test::view_of(p.x, p.shape()), p.rows, p.channels,
                                                 test::view_of(mean_var, {2, p.channels})});
        return mean_var;
      },
      [&](const std::vector<float>& got) {
        for (std::size_t c = 0; c < p.mean.size(); ++c) {
          const double want = p.exact_mean[c];
          // A mean near 0 of large values: the values' size sets the scale.
          EXPECT_NEAR(got[c], want, 2e-7 * (std::fabs(want) + std::sqrt(p.exact_var[c]))) << c;
        }
        test::expect_near({got.begin() + p.channels, got.end()}, p.exact_var, 5e-7);
      });
}

TEST_P(BatchNorm, ApplyIsTheFormulaWithResidualAndRelu) {
  const Problem p(GetParam());
  for (const bool with_residual : {false, true}) {
    for (const bool relu : {false, true}) {
      std::vector<double> want;
      for (std::size_t i = 0; i < p.x.size(); ++i) {
        want.push_back(p.output(i, with_residual, relu));
      }
      const auto run = [&](bool in_place) {
        return [&, in_place](Backend& backend, ExecContext& context) {
          std::vector<float> y = p.x;
          BatchNormApply op;
          op.x = in_place ? test::view_of(y, p.shape()) : test::view_of(p.x, p.shape());
          op.mean = test::view_of(p.mean, {p.channels});
          op.invstd = test::view_of(p.invstd, {p.channels});
          op.gamma = test::view_of(p.gamma, {p.channels});
          op.beta = test::view_of(p.beta, {p.channels});
          if (with_residual) {
            op.residual = test::view_of(p.residual, p.shape());
          }
          op.activation = relu ? Activation::Relu : Activation::None;
          op.y = test::view_of(y, p.shape());
          backend.run(context, op);
          return y;
        };
      };
      const auto check = [&](const std::vector<float>& y) { test::expect_near(y, want, 1e-6); };
      test::on_every_path(run(false), check);
      test::on_every_path(run(true), check);
    }
  }
}

TEST_P(BatchNorm, ApplyWithoutGammaAndBetaNormalisesOnly) {
  const Problem p(GetParam());
  std::vector<double> want;
  for (std::size_t i = 0; i < p.x.size(); ++i) {
    want.push_back(p.xhat(i));
  }
  test::on_every_path(
      [&](Backend& backend, ExecContext& context) {
        std::vector<float> y(p.x.size());
        BatchNormApply op;
        op.x = test::view_of(p.x, p.shape());
        op.mean = test::view_of(p.mean, {p.channels});
        op.invstd = test::view_of(p.invstd, {p.channels});
        op.y = test::view_of(y, p.shape());
        backend.run(context, op);
        return y;
      },
      [&](const std::vector<float>& y) { test::expect_near(y, want, 1e-6); });
}

struct Gradients {
  std::vector<double> dx, dgamma, dbeta, dresidual;
};

Gradients reference_gradients(const Problem& p, const std::vector<float>& y, bool relu,
                              bool frozen) {
  Gradients g;
  const auto channels = static_cast<std::size_t>(p.channels);
  g.dgamma.resize(channels);
  g.dbeta.resize(channels);
  for (std::size_t i = 0; i < p.x.size(); ++i) {
    g.dresidual.push_back(!relu || y[i] > 0 ? p.dy[i] : 0.0);
    g.dbeta[i % channels] += g.dresidual[i];
    g.dgamma[i % channels] += g.dresidual[i] * p.xhat(i);
  }
  const auto rows = static_cast<double>(p.rows);
  for (std::size_t i = 0; i < p.x.size(); ++i) {
    const std::size_t c = i % channels;
    const double scale = static_cast<double>(p.gamma[c]) * p.invstd[c];
    g.dx.push_back(
        frozen ? scale * g.dresidual[i]
               : scale * (g.dresidual[i] - g.dbeta[c] / rows - p.xhat(i) * g.dgamma[c] / rows));
  }
  return g;
}

TEST_P(BatchNorm, BackwardWithoutYGatesByWhatApplyGave) {
  const Problem p(GetParam());
  const Shape per_channel{p.channels};
  for (const bool with_gamma : {false, true}) {
    for (const bool frozen : {false, true}) {
      // The same call with y, as batch_norm_apply gives it on the same path, and without.
      const auto run = [&](bool with_y) {
        return [&, with_y](Backend& backend, ExecContext& context) {
          std::vector<float> y(p.x.size());
          BatchNormApply apply;
          apply.x = test::view_of(p.x, p.shape());
          apply.mean = test::view_of(p.mean, per_channel);
          apply.invstd = test::view_of(p.invstd, per_channel);
          if (with_gamma) apply.gamma = test::view_of(p.gamma, per_channel);
          if (with_gamma) apply.beta = test::view_of(p.beta, per_channel);
          apply.activation = Activation::Relu;
          apply.y = test::view_of(y, p.shape());
          backend.run(context, apply);
          std::vector<float> dx(p.x.size());
          std::vector<float> sums(static_cast<std::size_t>(2 * p.channels));
          BatchNormBackward op;
          op.x = apply.x;
          if (with_y) op.y = test::view_of(y, p.shape());
          op.dy = test::view_of(p.dy, p.shape());
          op.mean = apply.mean;
          op.invstd = apply.invstd;
          op.gamma = apply.gamma;
          op.beta = apply.beta;
          op.activation = Activation::Relu;
          op.frozen_statistics = frozen;
          op.dx = test::view_of(dx, p.shape());
          op.dgamma = {sums.data(), DType::F32, per_channel};
          op.dbeta = {sums.data() + p.channels, DType::F32, per_channel};
          backend.run(context, op);
          dx.insert(dx.end(), sums.begin(), sums.end());
          return dx;
        };
      };
      std::vector<std::vector<float>> want;  // in the order of the paths
      test::on_every_path(run(true), [&](const std::vector<float>& all) { want.push_back(all); });
      std::size_t path = 0;
      test::on_every_path(run(false), [&](const std::vector<float>& all) {
        ASSERT_LT(path, want.size());
        EXPECT_EQ(all, want[path++]);
      });
      EXPECT_EQ(path, want.size());
    }
  }
}

TEST_P(BatchNorm, BackwardIsTheFormula) {
  const Problem p(GetParam());
  std::vector<float> y;
  for (std::size_t i = 0; i < p.x.size(); ++i) {
    y.push_back(static_cast<float>(p.output(i, true, true)));
  }
  const Shape per_channel{p.channels};
  for (const bool relu : {false, true}) {
    for (const bool frozen : {false, true}) {
      const Gradients want = reference_gradients(p, y, relu, frozen);
      for (const bool in_place : {false, true}) {
        test::on_every_path(
            [&](Backend& backend, ExecContext& context) {
              std::vector<float> dx = p.dy;
              std::vector<float> dresidual(p.x.size());
              std::vector<float> sums(static_cast<std::size_t>(2 * p.channels));
              BatchNormBackward op;
              op.x = test::view_of(p.x, p.shape());
              op.y = relu ? test::view_of(y, p.shape()) : ConstView{};
              op.dy = in_place ? test::view_of(dx, p.shape()) : test::view_of(p.dy, p.shape());
              op.mean = test::view_of(p.mean, per_channel);
              op.invstd = test::view_of(p.invstd, per_channel);
              op.gamma = test::view_of(p.gamma, per_channel);
              op.activation = relu ? Activation::Relu : Activation::None;
              op.frozen_statistics = frozen;
              op.dx = test::view_of(dx, p.shape());
              op.dgamma = {sums.data(), DType::F32, per_channel};
              op.dbeta = {sums.data() + p.channels, DType::F32, per_channel};
              op.dresidual = test::view_of(dresidual, p.shape());
              backend.run(context, op);
              std::vector<float> all = dx;
              all.insert(all.end(), dresidual.begin(), dresidual.end());
              all.insert(all.end(), sums.begin(), sums.end());
              return all;
            },
            [&](const std::vector<float>& all) {
              const auto part = [&](std::size_t begin, std::size_t size) {
                const auto first = all.begin() + static_cast<std::ptrdiff_t>(begin);
                return std::vector<float>(first, first + static_cast<std::ptrdiff_t>(size));
              };
              const std::size_t n = p.x.size();
              const auto c = static_cast<std::size_t>(p.channels);
              // One or two rows: dx is a small difference of large terms.
              const double scale = p.rows > 2 || frozen ? 1 : 1e6;
              test::expect_near(part(0, n), want.dx, 2e-6 * scale);
              test::expect_near(part(n, n), want.dresidual, 0);
              test::expect_near(part(2 * n, c), want.dgamma, 2e-6 * scale);
              test::expect_near(part(2 * n + c, c), want.dbeta, 1e-6);
            });
      }
    }
  }
}

TEST(BatchNormBackward, FrozenWithoutGammaNeedsNeitherXNorMean) {
  const Problem p({101, 21});
  std::vector<float> y;
  for (std::size_t i = 0; i < p.x.size(); ++i) {
    y.push_back(static_cast<float>(p.output(i, false, true)));
  }
  const Gradients want = reference_gradients(p, y, true, true);
  test::on_every_path(
      [&](Backend& backend, ExecContext& context) {
        std::vector<float> out(p.x.size() + 21);
        BatchNormBackward op;
        op.y = test::view_of(y, p.shape());
        op.dy = test::view_of(p.dy, p.shape());
        op.invstd = test::view_of(p.invstd, {21});
        op.gamma = test::view_of(p.gamma, {21});
        op.activation = Activation::Relu;
        op.frozen_statistics = true;
        op.dx = {out.data(), DType::F32, p.shape()};
        op.dbeta = {out.data() + p.x.size(), DType::F32, Shape{21}};
        backend.run(context, op);
        return out;
      },
      [&](const std::vector<float>& out) {
        const auto middle = out.end() - 21;
        test::expect_near({out.begin(), middle}, want.dx, 1e-6);
        test::expect_near({middle, out.end()}, want.dbeta, 1e-6);
      });
}

TEST(BatchNormBackward, ResidualAloneIsTheGatedGradient) {
  const Problem p({101, 21});
  const std::vector<float>& y = p.residual;
  test::on_every_path(
      [&](Backend& backend, ExecContext& context) {
        std::vector<float> dresidual(p.x.size());
        BatchNormBackward op;
        op.x = test::view_of(p.x, p.shape());
        op.y = test::view_of(y, p.shape());
        op.dy = test::view_of(p.dy, p.shape());
        op.mean = test::view_of(p.mean, {21});
        op.invstd = test::view_of(p.invstd, {21});
        op.activation = Activation::Relu;
        op.dresidual = test::view_of(dresidual, p.shape());
        backend.run(context, op);
        return dresidual;
      },
      [&](const std::vector<float>& got) {
        test::expect_near(got, reference_gradients(p, y, true, false).dresidual, 0);
      });
}

// x of bf16: every result has the bits of the same values in f32.
TEST_P(BatchNorm, OfBf16HasTheBitsOfItsValues) {
  Problem p(GetParam());
  std::vector<std::uint16_t> bf16;
  for (float& x : p.x) {
    bf16.push_back(to_bf16(x).bits);
    x = to_float(BF16{bf16.back()});
  }
  const ConstView as_f32 = test::view_of(p.x, p.shape());
  const ConstView as_bf16{bf16.data(), DType::BF16, p.shape()};
  const Shape per_channel{p.channels};
  const auto n = static_cast<std::ptrdiff_t>(p.x.size());
  for (const bool gated_by_y : {false, true}) {
    for (const bool frozen : {false, true}) {
      const auto run = [&](const ConstView& x) {
        return [&, x](Backend& backend, ExecContext& context) {
          if (!backend.device().is_cpu()) return std::vector<float>();
          std::vector<float> out(4 * p.x.size() + static_cast<std::size_t>(2 * p.channels));
          float* const dx = out.data() + n;
          float* const sums = dx + 3 * n;
          BatchNormApply apply;
          apply.x = x;
          apply.mean = test::view_of(p.mean, per_channel);
          apply.invstd = test::view_of(p.invstd, per_channel);
          apply.gamma = test::view_of(p.gamma, per_channel);
          apply.beta = test::view_of(p.beta, per_channel);
          if (gated_by_y) apply.residual = test::view_of(p.residual, p.shape());
          apply.activation = Activation::Relu;
          apply.y = {out.data(), DType::F32, p.shape()};
          backend.run(context, apply);
          BatchNormBackward op;
          op.x = x;
          if (gated_by_y) op.y = apply.y;
          op.dy = test::view_of(p.dy, p.shape());
          op.mean = apply.mean;
          op.invstd = apply.invstd;
          op.gamma = apply.gamma;
          op.beta = apply.beta;
          op.activation = Activation::Relu;
          op.frozen_statistics = frozen;
          op.dx = {dx, DType::F32, p.shape()};
          op.dresidual = {dx + n, DType::F32, p.shape()};
          op.dgamma = {sums, DType::F32, per_channel};
          op.dbeta = {sums + p.channels, DType::F32, per_channel};
          backend.run(context, op);
          return out;
        };
      };
      std::vector<std::vector<float>> want;  // in the order of the paths
      test::on_every_path(run(as_f32), [&](const std::vector<float>& all) { want.push_back(all); });
      std::size_t path = 0;
      test::on_every_path(run(as_bf16),
                          [&](const std::vector<float>& all) { EXPECT_EQ(all, want.at(path++)); });
    }
  }
}

TEST(BatchNormTypes, BesideABf16XAllElseIsF32) {
  std::vector<float> f32(8);
  std::vector<std::uint16_t> bf16(8);
  const Shape shape{4, 2};
  const View of_f32{f32.data(), DType::F32, shape};
  const View of_bf16{bf16.data(), DType::BF16, shape};
  const View of_f16{bf16.data(), DType::F16, shape};
  const View channels{f32.data(), DType::F32, Shape{2}};
  test::KernelContext context;
  const auto backend = cpu::make_backend(cpu::Isa::Portable);
  const auto apply = [&](View x, View y, View residual) {
    BatchNormApply op;
    op.x = x;
    op.mean = op.invstd = channels;
    op.residual = residual;
    op.y = y;
    backend->run(context, op);
  };
  EXPECT_NO_THROW(apply(of_bf16, of_f32, {}));
  EXPECT_THROW(apply(of_f16, of_f32, {}), DTypeError);
  EXPECT_THROW(apply(of_bf16, of_bf16, {}), DTypeError);
  EXPECT_THROW(apply(of_bf16, of_f32, of_bf16), DTypeError);
  BatchNormBackward op;
  op.x = op.dy = of_bf16;
  op.mean = op.invstd = channels;
  op.dx = of_f32;
  EXPECT_THROW(backend->run(context, op), DTypeError);
}

}  // namespace
}  // namespace hanok
