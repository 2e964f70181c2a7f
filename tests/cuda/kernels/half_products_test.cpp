// Products and convolutions of f16 and bf16 operands: by our own kernels, and by whatever libraries
// the backend has. The reference multiplies the same rounded operands in double. A product of two
// of them is exact in f32, so what is left is the f32 sum's rounding (1e-5 of the rms, as for f32
// operands; 2e-5 through Winograd's transforms) and the rounding of a 16-bit result, at most
// 2^-11 (f16) or 2^-8 (bf16) of it.
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "hanok/kernels/cuda/conv/conv2d.h"
#include "hanok/kernels/cuda/gemm/gemm.h"
#include "hanok/kernels/primitives/layout.h"
#include "tests/cuda/kernels/device.h"
#include "tests/cuda/kernels/half_array.h"
#include "tests/kernels/conv2d_reference.h"
#include "tests/kernels/gemm_reference.h"

namespace hanok {
namespace {

using test::DeviceArray;
using test::DeviceContext;
using test::error_over_rms;
using test::HalfArray;
using test::Operands;
using test::rounded_to;
using test::shape_of;
using test::test_data;

/// Each value within its own rounding and `tolerance` of the rms.
void expect_rounded(const std::vector<float>& got, const std::vector<double>& want, DType dtype,
                    double tolerance) {
  ASSERT_EQ(got.size(), want.size());
  double squares = 0;
  for (const double w : want) squares += w * w;
  const double rms = std::sqrt(squares / static_cast<double>(want.size()));
  const double unit = dtype == DType::F16 ? 1.0 / 2048 : dtype == DType::BF16 ? 1.0 / 256 : 0.0;
  for (std::size_t i = 0; i < want.size(); ++i) {
    ASSERT_NEAR(got[i], want[i], unit * std::fabs(want[i]) + tolerance * rms) << "element " << i;
  }
}

class HalfProducts : public test::OnDevice, public ::testing::WithParamInterface<DType> {
 protected:
  void SetUp() override {
    test::OnDevice::SetUp();
    if (!IsSkipped()) backend_ = cuda_runtime()->make_backend(0);
  }
  DType dtype() const { return GetParam(); }
  std::vector<float> data(std::int64_t count, std::uint64_t seed) const {
    return rounded_to(dtype(), test_data(count, seed));
  }
  std::unique_ptr<Backend> backend_;
};

INSTANTIATE_TEST_SUITE_P(Types, HalfProducts, ::testing::Values(DType::F16, DType::BF16),
                         [](const auto& info) { return name_of(info.param); });

// ---- matrix products ----

TEST_P(HalfProducts, MatchDoubleReference) {
  const auto check = [&](test::GemmOperands o, bool f32_result, int epilogue = 0) {
    SCOPED_TRACE(o.name(epilogue) + (f32_result ? " written as f32" : ""));
    const DType result = f32_result ? DType::F32 : dtype();
    o.a = rounded_to(dtype(), o.a);
    o.b = rounded_to(dtype(), o.b);
    o.c = rounded_to(result, o.c);
    o.residual = rounded_to(result, o.residual);
    const std::vector<double> want = o.reference(epilogue);

    DeviceContext context;
    const HalfArray da(dtype(), o.a), db(dtype(), o.b), dresidual(result, o.residual);
    const DeviceArray<float> dscale(o.scale), dshift(o.shift);
    const Epilogue e = test::epilogue_of(epilogue, dscale.view(), dshift.view(), dresidual.view());
    const HalfArray own(result, o.c);
    cuda::gemm(context, o.shape, da.view(), db.view(), e, own.view());
    expect_rounded(own.values(), want, result, 1e-5);
    // The backend's library multiplies first and rounds before the epilogue: two roundings.
    if (epilogue != 0) return;
    const HalfArray library(result, o.c);
    backend_->run(context, Gemm{o.shape, da.view(), db.view(), e, library.view()});
    expect_rounded(library.values(), want, result, 1e-5);
  };
  for (const bool ta : {false, true}) {
    for (const bool tb : {false, true}) {
      check({1, 1, 1, ta, tb}, false);
      check({33, 31, 17, ta, tb, 2}, false);
      check({65, 66, 34, ta, tb, 1, 3}, true);
      check({64, 68, 32, ta, tb, 2, 4, true}, false);
    }
  }
  check({129, 66, 9, false, true, 32}, false);  // large tiles, element by element
  check({128, 72, 20, true, false, 64}, true);  // large tiles, 8 bytes at once
  for (int epilogue = 1; epilogue < test::kEveryEpilogue; ++epilogue) {
    check({37, 35, 20, false, true, 2, 1}, false, epilogue);
    check({33, 36, 20, true, false, 2, 4, true}, true, epilogue);
  }
}

TEST_P(HalfProducts, RefuseOperandsOfTwoTypes) {
  DeviceContext context;
  const HalfArray half(dtype(), {1});
  const HalfArray other(dtype() == DType::F16 ? DType::BF16 : DType::F16, {1});
  const DeviceArray<float> f32(std::vector<float>{1});
  GemmShape s;
  s.m = s.n = s.k = s.lda = s.ldb = s.ldc = 1;
  EXPECT_THROW(cuda::gemm(context, s, half.view(), f32.view(), {}, half.view()), DTypeError);
  EXPECT_THROW(cuda::gemm(context, s, half.view(), half.view(), {}, other.view()), DTypeError);
  EXPECT_THROW(cuda::gemm(context, s, f32.view(), f32.view(), {}, half.view()), DTypeError);
  EXPECT_THROW(backend_->run(context, Gemm{s, half.view(), f32.view(), {}, half.view()}),
               DTypeError);
  EXPECT_THROW(backend_->run(context, Gemm{s, half.view(), half.view(), {}, other.view()}),
               DTypeError);
}

// ---- convolutions ----

class HalfConv2d : public HalfProducts {
 protected:
  void check(const Conv2dShape& s, double tolerance = 1e-5) {
    SCOPED_TRACE(test::name(s));
    Operands o(s);
    o.x = rounded_to(dtype(), o.x);
    o.w = rounded_to(dtype(), o.w);
    o.dy = rounded_to(dtype(), o.dy);
    const HalfArray x(dtype(), o.x), w(dtype(), o.w), dy(dtype(), o.dy);
    const ConstView x_view = x.view(s.input_shape()), w_view = w.view(s.weight_shape()),
                    dy_view = dy.view(s.output_shape());
    const std::vector<double> y_want = forward_reference(s, o),
                              dx_want = backward_data_reference(s, o),
                              dw_want = backward_weights_reference(s, o);
    DeviceContext context;
    for (const bool own : {true, false}) {
      SCOPED_TRACE(own ? "own kernels" : "the backend's");
      const HalfArray y(dtype(), std::vector<float>(o.dy.size(), -7));
      const HalfArray dx(dtype(), std::vector<float>(o.x.size(), -7));
      const DeviceArray<float> dw(std::vector<float>(o.w.size(), -7));
      const DeviceArray<float> moments(std::vector<float>(static_cast<std::size_t>(2 * s.k)));
      Epilogue epilogue;
      epilogue.bn_mean_var = moments.view({2, s.k});
      const View y_view = y.view(s.output_shape()), dx_view = dx.view(s.input_shape()),
                 dw_view = dw.view(s.weight_shape());
      if (own) {
        cuda::conv2d_forward(context, s, x_view, w_view, epilogue, y_view);
        cuda::conv2d_backward_data(context, s, dy_view, w_view, dx_view);
        cuda::conv2d_backward_weights(context, s, x_view, dy_view, dw_view);
      } else {
        backend_->run(context, Conv2dForward{s, x_view, w_view, nullptr, epilogue, y_view});
        backend_->run(context, Conv2dBackwardData{s, dy_view, w_view, nullptr, dx_view});
        backend_->run(context, Conv2dBackwardWeights{s, x_view, dy_view, dw_view});
      }
      expect_rounded(y.values(), y_want, dtype(), tolerance);
      // A library may take them in the convolution, of what it has not rounded yet.
      EXPECT_LE(error_over_rms(moments.values(), test::moments_reference(y.values(), s.k)),
                own ? 2e-6 : 1e-3);
      expect_rounded(dx.values(), dx_want, dtype(), tolerance);
      // Libraries write dw in 16 bits, which are widened; our own kernels never round it.
      expect_rounded(dw.values(), dw_want, own ? DType::F32 : dtype(), tolerance);
    }
  }
};

INSTANTIATE_TEST_SUITE_P(Types, HalfConv2d, ::testing::Values(DType::F16, DType::BF16),
                         [](const auto& info) { return name_of(info.param); });

TEST_P(HalfConv2d, ImplicitProductsMatchDoubleReference) {
  check(shape_of(1, 1, 1, 1, 1, 1, 1));
  check(shape_of(2, 3, 9, 8, 5, 3, 3, 1, {1, 1, 1, 1, 1, 1}));
  check(shape_of(2, 16, 7, 9, 20, 3, 2, 1, {2, 3, 1, 0, 1, 1}));
  check(shape_of(2, 16, 6, 5, 24, 3, 3, 2, {1, 1, 1, 1, 1, 1}));
  check(shape_of(3, 4, 20, 21, 6, 3, 3, 1, {1, 1, 1, 1, 1, 1}));  // dw in pieces
}

TEST_P(HalfConv2d, LargeTilesMatchDoubleReference) {
  check(shape_of(1, 5, 64, 64, 132, 1, 1));
  check(shape_of(1, 132, 64, 64, 8, 1, 1));
}

TEST_P(HalfConv2d, DirectMatchesDoubleReference) {
  const Conv2dShape s = shape_of(2, 33, 9, 8, 33, 3, 3, 33, {1, 1, 1, 1, 1, 1});
  EXPECT_STREQ(cuda::conv2d_algorithm(Conv2dPass::Forward, s), "direct");
  check(s);
  check(shape_of(2, 12, 6, 7, 8, 2, 3, 4, {1, 2, 0, 2, 1, 1}));
}

TEST_P(HalfConv2d, WinogradMatchesDoubleReference) {
  const Conv2dShape s = shape_of(2, 33, 13, 14, 37, 3, 3, 1, {1, 1, 1, 1, 1, 1});
  EXPECT_STREQ(cuda::conv2d_algorithm(Conv2dPass::Forward, s), "winograd4x4");
  check(s, 2e-5);
}

TEST_P(HalfConv2d, EpilogueRoundsOnce) {
  for (const Conv2dShape& s : {shape_of(2, 5, 7, 6, 11, 3, 3, 1, {1, 1, 1, 1, 1, 1}),
                               shape_of(2, 8, 7, 6, 16, 3, 3, 2, {1, 1, 1, 1, 1, 1}),
                               shape_of(2, 9, 7, 6, 9, 3, 3, 9, {1, 1, 1, 1, 1, 1}),
                               shape_of(2, 32, 9, 10, 34, 3, 3, 1, {1, 1, 1, 1, 1, 1})}) {
    SCOPED_TRACE(test::name(s));
    Operands o(s);
    o.x = rounded_to(dtype(), o.x);
    o.w = rounded_to(dtype(), o.w);
    const std::vector<float> residual = data(s.output_shape().numel(), 6);
    const std::vector<float> scale = test_data(s.k, 4, 1, 0.5F), shift = test_data(s.k, 5);
    std::vector<double> want = forward_reference(s, o);
    for (std::size_t i = 0; i < want.size(); ++i) {
      const std::size_t k = i % static_cast<std::size_t>(s.k);
      want[i] = std::max(want[i] * scale[k] + shift[k] + residual[i], 0.0);
    }
    DeviceContext context;
    const HalfArray x(dtype(), o.x), w(dtype(), o.w), added(dtype(), residual);
    const DeviceArray<float> dscale(scale), dshift(shift);
    Epilogue e;
    e.scale = dscale.view();
    e.shift = dshift.view();
    e.residual = added.view(s.output_shape());
    e.activation = Activation::Relu;
    const HalfArray own(dtype(), o.dy), library(dtype(), o.dy);
    cuda::conv2d_forward(context, s, x.view(s.input_shape()), w.view(s.weight_shape()), e,
                         own.view(s.output_shape()));
    expect_rounded(own.values(), want, dtype(), 2e-5);
    backend_->run(context, Conv2dForward{s, x.view(s.input_shape()), w.view(s.weight_shape()),
                                         nullptr, e, library.view(s.output_shape())});
    expect_rounded(library.values(), want, dtype(), 2e-5);
  }
}

TEST_P(HalfConv2d, GradientOfWeightsIsF32) {
  const Conv2dShape s = shape_of(1, 2, 3, 3, 2, 1, 1);
  const HalfArray x(dtype(), std::vector<float>(18)), dy(dtype(), std::vector<float>(18));
  const HalfArray dw(dtype(), std::vector<float>(4));
  DeviceContext context;
  const ConstView x_view = x.view(s.input_shape()), dy_view = dy.view(s.output_shape());
  const View dw_view = dw.view(s.weight_shape());
  EXPECT_THROW(cuda::conv2d_backward_weights(context, s, x_view, dy_view, dw_view), DTypeError);
  EXPECT_THROW(backend_->run(context, Conv2dBackwardWeights{s, x_view, dy_view, dw_view}),
               DTypeError);
}

}  // namespace
}  // namespace hanok
