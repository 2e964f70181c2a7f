// Batch norm, ReLU and max pooling at once: forward the same bits as one after the other, backward
// against double-precision loops.
#include <cmath>
#include <cstdint>
#include <gtest/gtest.h>
#include <vector>

#include "hanok/kernels/base/error.h"
#include "hanok/kernels/base/half.h"
#include "tests/kernels/backend_runs.h"

namespace hanok {
namespace {

constexpr std::uint8_t kNothing = 255;

Pool2dShape make_shape(std::int64_t n, std::int64_t c, std::int64_t h, std::int64_t w,
                       std::int64_t kernel, Window2d window) {
  Pool2dShape shape;
  shape.n = n;
  shape.c = c;
  shape.h = h;
  shape.w = w;
  shape.r = shape.s = kernel;
  shape.window = window;
  return shape;
}

class BatchNormPool : public ::testing::TestWithParam<Pool2dShape> {
 protected:
  BatchNormPool() {
    const std::int64_t channels = shape.c;
    for (std::size_t i = 0; i < static_cast<std::size_t>(channels); ++i) {
      gamma[i] *= i % 3 == 0 ? -1.0F : 1.0F;  // a negative scale turns the order around
    }
    if (channels > 4) gamma[4] = 0;  // all equal: the first tap wins
  }

  BatchNormApply apply(std::vector<float>& y, const Shape& y_shape) const {
    BatchNormApply op;
    op.x = test::view_of(x, shape.input_shape());
    op.mean = test::view_of(mean, {shape.c});
    op.invstd = test::view_of(invstd, {shape.c});
    op.gamma = test::view_of(gamma, {shape.c});
    op.beta = test::view_of(beta, {shape.c});
    op.activation = Activation::Relu;
    op.y = test::view_of(y, y_shape);
    return op;
  }

  std::vector<std::uint8_t> fused_indices(Backend& backend, ExecContext& context) const {
    std::vector<float> y(outputs);
    std::vector<std::uint8_t> indices(outputs);
    backend.run(context, BatchNormMaxPool{apply(y, shape.output_shape()),
                                          shape,
                                          {indices.data(), DType::U8, shape.output_shape()}});
    return indices;
  }

  const Pool2dShape shape = GetParam();
  const std::size_t inputs = static_cast<std::size_t>(shape.input_shape().numel());
  const std::size_t outputs = static_cast<std::size_t>(shape.output_shape().numel());
  std::vector<float> x = test::test_data(shape.input_shape().numel(), 1, 0.5F, 2);
  std::vector<float> dy = test::test_data(shape.output_shape().numel(), 2, 0.25F, 1);
  std::vector<float> gamma = test::test_data(shape.c, 3, 1, 0.5F);
  std::vector<float> beta = test::test_data(shape.c, 4, 0, 0.5F);
  std::vector<float> mean = test::test_data(shape.c, 5, 0.5F, 0.2F);
  std::vector<float> invstd = test::test_data(shape.c, 6, 1, 0.5F);
};

INSTANTIATE_TEST_SUITE_P(Shapes, BatchNormPool,
                         ::testing::Values(make_shape(2, 19, 17, 15, 3, {2, 2, 1, 1, 1, 1}),
                                           make_shape(1, 1, 5, 7, 2, {2, 2, 0, 0, 1, 1}),
                                           make_shape(3, 64, 40, 44, 3, {2, 2, 1, 1, 1, 1}),
                                           make_shape(2, 45, 13, 12, 2, {3, 3, 0, 0, 1, 1}),
                                           make_shape(1, 9, 8, 9, 3, {1, 2, 1, 1, 2, 2})),
                         [](const auto& info) { return "Case" + std::to_string(info.index); });

TEST_P(BatchNormPool, ForwardHasTheBitsOfTheThreeOneAfterTheOther) {
  for (const auto& backend : test::testable_backends()) {
    if (!backend->fuses_batch_norm_max_pool()) continue;
    test::KernelContext context(2);
    std::vector<float> middle(inputs);
    std::vector<float> want(outputs);
    std::vector<std::uint8_t> want_taps(outputs);
    backend->run(context, apply(middle, shape.input_shape()));
    backend->run(context, MaxPool2d{shape,
                                    test::view_of(middle, shape.input_shape()),
                                    test::view_of(want, shape.output_shape()),
                                    {want_taps.data(), DType::U8, shape.output_shape()}});
    for (std::size_t i = 0; i < outputs; ++i) {
      if (!(want[i] > 0)) want_taps[i] = kNothing;
    }
    for (const bool with_indices : {true, false}) {
      std::vector<float> y(outputs);
      std::vector<std::uint8_t> indices(outputs);
      backend->run(context, BatchNormMaxPool{
                                apply(y, shape.output_shape()), shape,
                                with_indices ? View{indices.data(), DType::U8, shape.output_shape()}
                                             : View{}});
      EXPECT_TRUE(test::equal_bits(y, want));
      if (with_indices) {
        EXPECT_EQ(indices, want_taps);
      }
    }
  }
}

// x of bf16: every result has the bits of the same values in f32.
TEST_P(BatchNormPool, OfBf16HasTheBitsOfItsValues) {
  std::vector<std::uint16_t> bf16;
  std::vector<float> values;
  for (const float value : x) {
    bf16.push_back(to_bf16(value).bits);
    values.push_back(to_float(BF16{bf16.back()}));
  }
  const auto channels = static_cast<std::size_t>(shape.c);
  const auto run = [&](const ConstView& operand) {
    return [&, operand](Backend& backend, ExecContext& context) {
      if (!backend.fuses_batch_norm_max_pool()) return std::vector<float>();
      std::vector<float> y(outputs);
      std::vector<std::uint8_t> indices(outputs);
      BatchNormMaxPool forward{
          apply(y, shape.output_shape()), shape, {indices.data(), DType::U8, shape.output_shape()}};
      forward.norm.x = operand;
      backend.run(context, forward);
      std::vector<float> all(inputs + 2 * channels);
      BatchNormBackward op;
      op.x = operand;
      op.dy = test::view_of(dy, shape.output_shape());
      op.mean = test::view_of(mean, {shape.c});
      op.invstd = test::view_of(invstd, {shape.c});
      op.gamma = test::view_of(gamma, {shape.c});
      op.activation = Activation::Relu;
      op.dx = {all.data(), DType::F32, shape.input_shape()};
      op.dgamma = {all.data() + inputs, DType::F32, Shape{shape.c}};
      op.dbeta = {all.data() + inputs + channels, DType::F32, Shape{shape.c}};
      backend.run(context, BatchNormMaxPoolBackward{op, shape, forward.indices});
      all.insert(all.end(), y.begin(), y.end());
      all.insert(all.end(), indices.begin(), indices.end());
      return all;
    };
  };
  std::vector<std::vector<float>> want;  // in the order of the paths
  test::on_every_path(run(test::view_of(values, shape.input_shape())),
                      [&](const std::vector<float>& all) { want.push_back(all); });
  std::size_t path = 0;
  test::on_every_path(run({bf16.data(), DType::BF16, shape.input_shape()}),
                      [&](const std::vector<float>& all) { EXPECT_EQ(all, want.at(path++)); });
}

// Batch norm and ReLU of the chosen x, and their sums backward, are those of the whole.
TEST_P(BatchNormPool, ChoosesTheXOfEachMaximum) {
  if (shape.window.dilation_h > 1) return;  // a window may lie in the padding
  std::vector<std::uint16_t> bf16;
  for (const float value : x) bf16.push_back(to_bf16(value).bits);
  const auto channels = static_cast<std::size_t>(shape.c);
  for (const auto& backend : test::testable_backends()) {
    if (!backend->fuses_batch_norm_max_pool()) continue;
    test::KernelContext context;
    std::vector<float> pooled(outputs);
    std::vector<float> again(outputs);
    std::vector<std::uint8_t> indices(outputs);
    std::vector<std::uint16_t> chosen(outputs);
    BatchNormMaxPool op{apply(pooled, shape.output_shape()),
                        shape,
                        {indices.data(), DType::U8, shape.output_shape()}};
    op.norm.x = {bf16.data(), DType::BF16, shape.input_shape()};
    op.chosen = test::view_of(again, shape.output_shape());
    EXPECT_THROW(backend->run(context, op), DTypeError) << "of another type than x";
    op.chosen = {chosen.data(), DType::BF16, shape.output_shape()};
    backend->run(context, op);
    BatchNormApply norm = apply(again, shape.output_shape());
    norm.x = op.chosen;
    backend->run(context, norm);
    EXPECT_TRUE(test::equal_bits(again, pooled));

    std::vector<float> want(2 * channels);
    std::vector<float> got(2 * channels);
    BatchNormBackward sums;
    sums.dy = test::view_of(dy, shape.output_shape());
    sums.mean = norm.mean;
    sums.invstd = norm.invstd;
    sums.gamma = norm.gamma;
    sums.beta = norm.beta;
    sums.activation = Activation::Relu;
    const auto into = [&](std::vector<float>& out, const ConstView& operand) {
      sums.x = operand;
      sums.dgamma = {out.data(), DType::F32, Shape{shape.c}};
      sums.dbeta = {out.data() + channels, DType::F32, Shape{shape.c}};
    };
    into(want, op.norm.x);
    backend->run(context, BatchNormMaxPoolBackward{sums, shape, op.indices});
    into(got, op.chosen);
    backend->run(context, sums);
    for (std::size_t c = 0; c < got.size(); ++c) {
      EXPECT_NEAR(got[c], want[c], 1e-5 * (1 + std::abs(want[c]))) << c;
    }
  }
}

// One image after the other, with the sums over all of them.
TEST_P(BatchNormPool, BackwardOfSomeImagesIsThatOfTheBatch) {
  const std::vector<float>& values = x;
  const auto channels = static_cast<std::size_t>(shape.c);
  test::on_every_path(
      [&](Backend& backend, ExecContext& context) {
        if (!backend.fuses_batch_norm_max_pool()) return std::vector<float>();
        std::vector<std::uint8_t> indices = fused_indices(backend, context);
        std::vector<float> whole(inputs);
        std::vector<float> parts(inputs);
        std::vector<float> sums(2 * channels);
        BatchNormMaxPoolBackward op;
        op.pool = shape;
        op.norm.x = test::view_of(values, shape.input_shape());
        op.norm.dy = test::view_of(dy, shape.output_shape());
        op.norm.mean = test::view_of(mean, {shape.c});
        op.norm.invstd = test::view_of(invstd, {shape.c});
        op.norm.gamma = test::view_of(gamma, {shape.c});
        op.norm.activation = Activation::Relu;
        op.norm.dx = test::view_of(whole, shape.input_shape());
        op.norm.dgamma = {sums.data(), DType::F32, Shape{shape.c}};
        op.norm.dbeta = {sums.data() + channels, DType::F32, Shape{shape.c}};
        op.indices = {indices.data(), DType::U8, shape.output_shape()};
        backend.run(context, op);
        op.batch = {shape.n, op.norm.dgamma, op.norm.dbeta};
        op.norm.dgamma = op.norm.dbeta = View();
        op.pool.n = 1;
        const std::size_t image = inputs / static_cast<std::size_t>(shape.n);
        const std::size_t pooled = outputs / static_cast<std::size_t>(shape.n);
        for (std::size_t n = 0; n < static_cast<std::size_t>(shape.n); ++n) {
          op.norm.x = {values.data() + n * image, DType::F32, op.pool.input_shape()};
          op.norm.dy = {dy.data() + n * pooled, DType::F32, op.pool.output_shape()};
          op.norm.dx = {parts.data() + n * image, DType::F32, op.pool.input_shape()};
          op.indices = {indices.data() + n * pooled, DType::U8, op.pool.output_shape()};
          backend.run(context, op);
        }
        // But for the sums' rounding to f32.
        test::expect_near(parts, {whole.begin(), whole.end()}, 4e-6);
        return parts;
      },
      [](const std::vector<float>&) {});
}

TEST_P(BatchNormPool, BackwardMatchesLoopsInDouble) {
  const auto channels = static_cast<std::size_t>(shape.c);
  const double rows = static_cast<double>(shape.n * shape.h * shape.w);
  // g by scattering dy to the taps that the indices name; the indices themselves are judged above.
  const auto gradient_at_inputs = [&](const std::vector<std::uint8_t>& indices) {
    std::vector<double> g(inputs);
    for (std::size_t out = 0; out < outputs; ++out) {
      if (indices[out] == kNothing) continue;
      const auto c = static_cast<std::int64_t>(out % channels);
      auto pixel = static_cast<std::int64_t>(out / channels);
      const std::int64_t q = pixel % shape.q();
      const std::int64_t p = pixel / shape.q() % shape.p();
      const std::int64_t n = pixel / shape.q() / shape.p();
      const std::int64_t h = p * shape.window.stride_h - shape.window.pad_h +
                             indices[out] / shape.s * shape.window.dilation_h;
      const std::int64_t w = q * shape.window.stride_w - shape.window.pad_w +
                             indices[out] % shape.s * shape.window.dilation_w;
      g[static_cast<std::size_t>(((n * shape.h + h) * shape.w + w) * shape.c + c)] += dy[out];
    }
    return g;
  };
  for (const bool frozen : {false, true}) {
    for (const bool in_place : {false, true}) {
      std::vector<std::uint8_t> indices;
      const auto run = [&](Backend& backend, ExecContext& context) {
        if (!backend.fuses_batch_norm_max_pool()) return std::vector<float>();
        indices = fused_indices(backend, context);
        std::vector<float> values = x;
        std::vector<float> dx(inputs);
        std::vector<float> dgamma(channels);
        std::vector<float> dbeta(channels);
        BatchNormBackward op;
        op.x = test::view_of(values, shape.input_shape());
        op.dy = test::view_of(dy, shape.output_shape());
        op.mean = test::view_of(mean, {shape.c});
        op.invstd = test::view_of(invstd, {shape.c});
        op.gamma = test::view_of(gamma, {shape.c});
        op.activation = Activation::Relu;
        op.frozen_statistics = frozen;
        op.dx = test::view_of(in_place ? values : dx, shape.input_shape());
        op.dgamma = test::view_of(dgamma, {shape.c});
        op.dbeta = test::view_of(dbeta, {shape.c});
        backend.run(context, BatchNormMaxPoolBackward{
                                 op, shape, {indices.data(), DType::U8, shape.output_shape()}});
        std::vector<float> all = in_place ? values : dx;
        all.insert(all.end(), dgamma.begin(), dgamma.end());
        all.insert(all.end(), dbeta.begin(), dbeta.end());
        return all;
      };
      test::on_every_path(run, [&](const std::vector<float>& got) {
        if (got.empty()) return;
        const std::vector<double> g = gradient_at_inputs(indices);
        std::vector<double> dgamma(channels);
        std::vector<double> dbeta(channels);
        const auto xhat = [&](std::size_t i) {
          return (static_cast<double>(x[i]) - mean[i % channels]) * invstd[i % channels];
        };
        for (std::size_t i = 0; i < inputs; ++i) {
          dgamma[i % channels] += g[i] * xhat(i);
          dbeta[i % channels] += g[i];
        }
        std::vector<double> dx(inputs);
        for (std::size_t i = 0; i < inputs; ++i) {
          const std::size_t c = i % channels;
          const double centre = frozen ? 0 : dbeta[c] / rows + xhat(i) * dgamma[c] / rows;
          dx[i] = static_cast<double>(gamma[c]) * invstd[c] * (g[i] - centre);
        }
        const auto end = got.begin() + static_cast<std::ptrdiff_t>(inputs);
        // Pooling leaves few of the g, so that rounding of x - mean weighs more against their rms.
        test::expect_near({got.begin(), end}, dx, 3e-6);
        test::expect_near({end, end + shape.c}, dgamma, 3e-6);
        test::expect_near({end + shape.c, got.end()}, dbeta, 1e-6);
      });
    }
  }
}

}  // namespace
}  // namespace hanok
