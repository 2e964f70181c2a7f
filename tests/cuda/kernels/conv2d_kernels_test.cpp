// The hand-written convolutions themselves, which a device with cuDNN seldom calls.
#include <algorithm>
#include <string>

#include "hanok/kernels/cuda/conv/conv2d.h"
#include "tests/cuda/kernels/device.h"
#include "tests/kernels/conv2d_reference.h"

namespace hanok {
namespace {

using test::DeviceArray;
using test::DeviceContext;
using test::error_over_rms;
using test::Operands;
using test::shape_of;
using test::test_data;

class Conv2dKernels : public test::OnDevice {};

/// What the three passes leave for one shape, with an optional epilogue of the forward pass
/// (bits: 1 scale, 2 shift, 4 residual, 8 ReLU).
struct Passes {
  const Conv2dShape& s;
  Operands o;
  std::vector<float> scale, shift, residual;
  DeviceContext context;

  explicit Passes(const Conv2dShape& shape)
      : s(shape),
        o(shape),
        scale(test_data(s.k, 4, 1, 0.5F)),
        shift(test_data(s.k, 5)),
        residual(test_data(s.output_shape().numel(), 6)) {}

  /// y, then mean and variance of each channel.
  std::pair<std::vector<float>, std::vector<float>> forward(int bits = 0) {
    const DeviceArray<float> x(o.x), w(o.w), dscale(scale), dshift(shift), dresidual(residual);
    const DeviceArray<float> y(std::vector<float>(o.dy.size(), -7));
    const DeviceArray<float> moments(std::vector<float>(static_cast<std::size_t>(2 * s.k)));
    Epilogue e;
    if (bits & 1) e.scale = dscale.view();
    if (bits & 2) e.shift = dshift.view();
    if (bits & 4) e.residual = dresidual.view(s.output_shape());
    if (bits & 8) e.activation = Activation::Relu;
    e.bn_mean_var = moments.view({2, s.k});
    cuda::conv2d_forward(context, s, x.view(s.input_shape()), w.view(s.weight_shape()), e,
                         y.view(s.output_shape()));
    return {y.values(), moments.values()};
  }
  std::vector<float> backward_data() {
    const DeviceArray<float> dy(o.dy), w(o.w);
    const DeviceArray<float> dx(std::vector<float>(o.x.size(), -7));
    cuda::conv2d_backward_data(context, s, dy.view(s.output_shape()), w.view(s.weight_shape()),
                               dx.view(s.input_shape()));
    return dx.values();
  }
  std::vector<float> backward_weights() {
    const DeviceArray<float> dy(o.dy), x(o.x);
    const DeviceArray<float> dw(std::vector<float>(o.w.size(), -7));
    cuda::conv2d_backward_weights(context, s, x.view(s.input_shape()), dy.view(s.output_shape()),
                                  dw.view(s.weight_shape()));
    return dw.values();
  }
  std::vector<double> with_epilogue(std::vector<double> y, int bits) const {
    for (std::size_t i = 0; i < y.size(); ++i) {
      const std::size_t k = i % static_cast<std::size_t>(s.k);
      if (bits & 1) y[i] *= scale[k];
      if (bits & 2) y[i] += shift[k];
      if (bits & 4) y[i] += residual[i];
      if (bits & 8) y[i] = std::max(y[i], 0.0);
    }
    return y;
  }
};

void check_all(const Conv2dShape& s, double tolerance = 1e-5) {
  SCOPED_TRACE(test::name(s));
  Passes passes(s);
  const auto [y, moments] = passes.forward();
  EXPECT_LE(error_over_rms(y, forward_reference(s, passes.o)), tolerance);
  EXPECT_LE(error_over_rms(moments, test::moments_reference(y, s.k)), 2e-6);
  EXPECT_LE(error_over_rms(passes.backward_data(), backward_data_reference(s, passes.o)),
            tolerance);
  EXPECT_LE(error_over_rms(passes.backward_weights(), backward_weights_reference(s, passes.o)),
            tolerance);
}

TEST_F(Conv2dKernels, ImplicitProductsMatchDoubleReference) {
  check_all(shape_of(1, 1, 1, 1, 1, 1, 1));
  check_all(shape_of(2, 3, 9, 8, 5, 3, 3, 1, {1, 1, 1, 1, 1, 1}));
  check_all(shape_of(2, 16, 7, 9, 20, 3, 2, 1, {2, 3, 1, 0, 1, 1}));   // strides: phases
  check_all(shape_of(1, 8, 12, 11, 12, 3, 3, 1, {2, 2, 2, 2, 2, 3}));  // and dilations
  check_all(shape_of(2, 4, 6, 6, 33, 1, 1, 1, {2, 2, 0, 0, 1, 1}));    // phases without a tap
  check_all(shape_of(3, 3, 17, 17, 66, 7, 7, 1, {2, 2, 3, 3, 1, 1}));  // a stem
  check_all(shape_of(2, 16, 6, 5, 24, 3, 3, 2, {1, 1, 1, 1, 1, 1}));   // groups of 8 and 12
  check_all(shape_of(1, 27, 5, 6, 30, 3, 3, 3, {1, 1, 0, 1, 1, 1}));   // groups of 9 and 10
}

TEST_F(Conv2dKernels, LargeTilesMatchDoubleReference) {
  check_all(shape_of(1, 5, 64, 64, 132, 1, 1));
  check_all(shape_of(1, 132, 64, 64, 8, 1, 1));
}

TEST_F(Conv2dKernels, WeightGradientsAreSummedOverPieces) {
  const Conv2dShape s = shape_of(3, 4, 20, 21, 6, 3, 3, 1, {1, 1, 1, 1, 1, 1});
  EXPECT_GT(cuda::conv2d_workspace_bytes(Conv2dPass::BackwardWeights, s), 0U);
  check_all(s);
}

TEST_F(Conv2dKernels, DirectMatchesDoubleReference) {
  const auto check = [](const Conv2dShape& s) {
    EXPECT_STREQ(cuda::conv2d_algorithm(Conv2dPass::Forward, s), "direct");
    check_all(s);
  };
  check(shape_of(2, 33, 9, 8, 33, 3, 3, 33, {1, 1, 1, 1, 1, 1}));
  check(shape_of(1, 31, 8, 7, 62, 3, 2, 31, {2, 2, 1, 0, 1, 2}));  // two filters a channel
  check(shape_of(2, 12, 6, 7, 8, 2, 3, 4, {1, 2, 0, 2, 1, 1}));
  check(shape_of(1, 40, 20, 20, 40, 5, 5, 40, {1, 1, 2, 2, 1, 1}));
}

TEST_F(Conv2dKernels, WinogradMatchesDoubleReference) {
  const auto check = [](const Conv2dShape& s) {
    EXPECT_STREQ(cuda::conv2d_algorithm(Conv2dPass::Forward, s), "winograd4x4");
    EXPECT_STREQ(cuda::conv2d_algorithm(Conv2dPass::BackwardData, s), "winograd4x4");
    check_all(s, 2e-5);
  };
  check(shape_of(1, 32, 16, 16, 32, 3, 3, 1, {1, 1, 1, 1, 1, 1}));
  check(shape_of(2, 33, 13, 14, 37, 3, 3, 1, {1, 1, 1, 1, 1, 1}));
  check(shape_of(3, 36, 9, 11, 32, 3, 3, 1, {1, 1, 0, 2, 1, 1}));
  check(shape_of(12, 32, 1, 1, 40, 3, 3, 1, {1, 1, 1, 1, 1, 1}));
}

TEST_F(Conv2dKernels, WinogradTakesManyTilesInChunks) {
  const Conv2dShape s = shape_of(4, 32, 124, 124, 32, 3, 3, 1, {1, 1, 1, 1, 1, 1});
  Conv2dShape one = s;  // the last image alone, in one chunk
  one.n = 1;
  one.nominal_n = 4;
  Passes all(s);
  Passes last(one);
  const auto image = static_cast<std::ptrdiff_t>(last.o.x.size());
  last.o.x.assign(all.o.x.end() - image, all.o.x.end());
  last.o.w = all.o.w;
  const std::vector<float> y = all.forward().first;
  const std::vector<float> want = last.forward().first;
  EXPECT_LT(cuda::conv2d_workspace_bytes(Conv2dPass::Forward, s),
            4 * cuda::conv2d_workspace_bytes(Conv2dPass::Forward, one));
  EXPECT_EQ(std::vector<float>(y.end() - image, y.end()), want);
}

TEST_F(Conv2dKernels, EpilogueInEveryCombination) {
  for (const Conv2dShape& s : {shape_of(2, 5, 7, 6, 11, 3, 3, 1, {1, 1, 1, 1, 1, 1}),
                               shape_of(2, 8, 7, 6, 16, 3, 3, 2, {1, 1, 1, 1, 1, 1}),
                               shape_of(2, 9, 7, 6, 9, 3, 3, 9, {1, 1, 1, 1, 1, 1}),
                               shape_of(2, 32, 9, 10, 34, 3, 3, 1, {1, 1, 1, 1, 1, 1})}) {
    SCOPED_TRACE(test::name(s));
    Passes passes(s);
    const std::vector<double> product = forward_reference(s, passes.o);
    for (int bits = 0; bits < 16; ++bits) {
      const auto [y, moments] = passes.forward(bits);
      EXPECT_LE(error_over_rms(y, passes.with_epilogue(product, bits)), 2e-5) << bits;
      EXPECT_LE(error_over_rms(moments, test::moments_reference(y, s.k)), 2e-6) << bits;
    }
  }
}

TEST_F(Conv2dKernels, SameBitsEveryRunAndWorkspaceWithinWhatIsReported) {
  for (const Conv2dShape& s : {shape_of(3, 4, 20, 21, 6, 3, 3, 1, {1, 1, 1, 1, 1, 1}),
                               shape_of(2, 33, 19, 18, 33, 3, 3, 33, {1, 1, 1, 1, 1, 1}),
                               shape_of(2, 48, 33, 30, 40, 3, 3, 1, {1, 1, 1, 1, 1, 1})}) {
    Passes first(s);
    Passes second(s);
    EXPECT_EQ(first.forward(), second.forward());
    EXPECT_EQ(first.backward_data(), second.backward_data());
    EXPECT_EQ(first.backward_weights(), second.backward_weights());
    std::size_t most = 256 * 1024;  // the workspace's smallest piece
    for (const Conv2dPass pass :
         {Conv2dPass::Forward, Conv2dPass::BackwardData, Conv2dPass::BackwardWeights}) {
      most = std::max(most, cuda::conv2d_workspace_bytes(pass, s));
    }
    EXPECT_LE(first.context.workspace().bytes(), 3 * most);  // chunks are not merged
  }
}

TEST_F(Conv2dKernels, RefusesOtherTypes) {
  const Conv2dShape s = shape_of(1, 2, 3, 3, 2, 1, 1);
  DeviceContext context;
  const DeviceArray<float> w(std::vector<float>(4)), y(std::vector<float>(18));
  View x = y.view(s.input_shape());
  x.dtype = DType::F64;
  EXPECT_THROW(
      cuda::conv2d_forward(context, s, x, w.view(s.weight_shape()), {}, y.view(s.output_shape())),
      DTypeError);
}

}  // namespace
}  // namespace hanok
