#include "hanok/kernels/cpu/conv2d/conv2d.h"

#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>

#include "hanok/kernels/cpu/call.h"
#include "hanok/kernels/cpu/conv2d/choices.h"
#include "hanok/kernels/cpu/conv2d/choose.h"
#include "tests/kernels/conv2d_epilogues.h"
#include "tests/kernels/conv2d_reference.h"
#include "tests/kernels/conv2d_same_bits.h"
#include "tests/kernels/kernel_context.h"

namespace hanok {
namespace {

using test::backward_data;
using test::backward_data_reference;
using test::backward_weights;
using test::backward_weights_reference;
using test::forward;
using test::forward_reference;
using test::KernelContext;
using test::moments_reference;
using test::name;
using test::Operands;
using test::shape_of;
using test::with_extra;

const std::vector<Conv2dShape>& awkward_shapes() {
  static const std::vector<Conv2dShape> shapes = {
      shape_of(1, 1, 1, 1, 1, 1, 1),
      shape_of(2, 3, 5, 7, 4, 3, 3),
      shape_of(1, 3, 19, 17, 8, 7, 7, 1, {2, 2, 3, 3, 1, 1}),     // a stem
      shape_of(2, 3, 41, 57, 10, 3, 3, 1, {1, 1, 1, 1, 2, 1}),    // few channels, several bands
      shape_of(1, 4, 23, 20, 24, 5, 3, 1, {2, 3, 2, 4, 1, 1}),    // the same, wide padding
      shape_of(3, 16, 9, 9, 33, 3, 3, 1, {1, 1, 1, 1, 1, 1}),     // the usual 3x3
      shape_of(2, 17, 7, 7, 15, 3, 3, 1, {2, 2, 1, 1, 1, 1}),     // strided, odd channels
      shape_of(2, 8, 8, 8, 16, 1, 1, 1, {2, 2, 0, 0, 1, 1}),      // phases without taps
      shape_of(2, 40, 6, 5, 24, 1, 1),                            // the image itself
      shape_of(1, 5, 11, 13, 7, 3, 5, 1, {3, 2, 1, 2, 1, 1}),     // all sizes differ
      shape_of(1, 4, 12, 12, 6, 3, 3, 1, {1, 1, 2, 2, 2, 2}),     // dilated
      shape_of(1, 4, 14, 15, 6, 3, 3, 1, {2, 3, 3, 2, 2, 3}),     // dilated and strided
      shape_of(2, 2, 4, 4, 3, 3, 3, 1, {1, 1, 4, 5, 1, 1}),       // pads beyond the kernel
      shape_of(1, 3, 2, 2, 2, 2, 2, 1, {4, 4, 3, 3, 1, 1}),       // stride beyond the image
      shape_of(2, 12, 7, 6, 8, 3, 3, 4, {1, 1, 1, 1, 1, 1}),      // groups
      shape_of(1, 12, 9, 8, 18, 3, 2, 3, {2, 1, 1, 0, 1, 2}),     // groups, strided, dilated
      shape_of(2, 19, 8, 9, 19, 3, 3, 19, {1, 1, 1, 1, 1, 1}),    // depthwise
      shape_of(1, 32, 9, 7, 32, 5, 3, 32, {2, 2, 2, 1, 1, 1}),    // depthwise, strided
      shape_of(1, 6, 7, 7, 12, 3, 3, 6, {1, 1, 1, 1, 1, 1}),      // two filters a channel
      shape_of(2, 11, 13, 9, 33, 5, 3, 11, {2, 1, 3, 1, 1, 2}),   // three, strided, dilated
      shape_of(3, 24, 40, 37, 24, 3, 3, 24, {1, 1, 1, 1, 1, 1}),  // depthwise, several bands
      shape_of(2, 20, 33, 41, 40, 3, 3, 20, {2, 2, 1, 1, 1, 1}),  // the same, strided, two filters
      shape_of(2, 16, 4, 61, 16, 3, 3, 16, {1, 1, 1, 1, 1, 1}),   // rows of several pieces
      shape_of(2, 11, 5, 120, 11, 3, 3, 11, {2, 2, 1, 1, 1, 1}),  // the same, strided
      shape_of(1, 9, 7, 57, 9, 3, 3, 9, {1, 2, 1, 1, 1, 1}),      // strided in rows only
      shape_of(3, 8, 1, 1, 8, 3, 3, 8, {1, 1, 1, 1, 1, 1}),       // one pixel, eight taps outside
      shape_of(2, 17, 2, 2, 17, 3, 3, 17, {2, 2, 1, 1, 1, 1}),    // one pixel of four
      shape_of(2, 8, 1, 3, 16, 3, 3, 8, {3, 1, 1, 1, 1, 1}),      // one row, two filters
      shape_of(1, 9, 3, 2, 9, 5, 5, 9, {1, 1, 4, 4, 1, 1}),       // depthwise, mostly padding
      shape_of(1, 16, 2, 3, 16, 1, 2, 16, {3, 4, 0, 1, 1, 1}),    // depthwise, phases without taps
      shape_of(3, 20, 16, 14, 70, 3, 3, 1, {1, 1, 1, 1, 1, 1}),   // several blocks of everything
      shape_of(1, 300, 3, 3, 130, 1, 1),                          // k and column blocks
      shape_of(0, 3, 5, 5, 4, 3, 3),                              // no images
      // More padding below and on the right.
      with_extra(shape_of(2, 3, 10, 12, 8, 3, 3, 1, {2, 2, 0, 0, 1, 1}), 1, 1),
      with_extra(shape_of(2, 16, 8, 6, 16, 3, 3, 1, {2, 2, 0, 0, 1, 1}), 1, 1),
      with_extra(shape_of(2, 16, 8, 6, 24, 3, 3, 1, {2, 2, 1, 1, 1, 1}), 1, 1),
      with_extra(shape_of(2, 8, 7, 6, 9, 2, 4, 1, {1, 1, 0, 1, 1, 1}), 1, 1),
      with_extra(shape_of(3, 24, 10, 8, 24, 3, 3, 24, {2, 2, 0, 0, 1, 1}), 1, 1),
      with_extra(shape_of(3, 24, 10, 8, 24, 3, 3, 24, {2, 2, 1, 1, 1, 1}), 1, 1),
      with_extra(shape_of(2, 11, 8, 7, 22, 5, 5, 11, {2, 2, 1, 2, 1, 1}), 1, 0),
      with_extra(shape_of(1, 6, 9, 9, 6, 3, 3, 6, {1, 1, 1, 1, 1, 1}), 2, 3),
      with_extra(shape_of(2, 12, 6, 7, 8, 3, 3, 4, {3, 2, 0, 1, 1, 1}), 1, 2),
  };
  return shapes;
}

// Those and shapes of every algorithm, with images and, in a last batch, without.
std::vector<Conv2dShape> shapes_of_every_algorithm() {
  std::vector<Conv2dShape> shapes = awkward_shapes();
  const Window2d same{1, 1, 1, 1, 1, 1};
  for (Conv2dShape s : {
           shape_of(4, 32, 13, 9, 40, 3, 3, 1, same),                  // F(4x4, 3x3), early layers
           shape_of(36, 264, 7, 7, 40, 3, 3, 1, same),                 // deep ones, several blocks
           shape_of(2, 32, 9, 11, 232, 3, 3, 1, same),                 // deep with few channels
           shape_of(2, 264, 7, 5, 256, 3, 3, 1, same),                 // F(2x2, 3x3)
           shape_of(13, 72, 13, 20, 40, 3, 3, 1, {2, 2, 1, 1, 1, 1}),  // strided
           shape_of(270, 32, 9, 3, 32, 3, 3, 1, {2, 2, 1, 1, 1, 1}),   // and many tiles
           shape_of(3, 3, 31, 77, 40, 7, 7, 1, {2, 2, 3, 3, 1, 1}),    // Winograd's stem
           // The same with more padding below and on the right.
           with_extra(shape_of(4, 32, 13, 9, 40, 3, 3, 1, same), 1, 2),
           with_extra(shape_of(2, 264, 7, 5, 256, 3, 3, 1, same), 2, 1),
           with_extra(shape_of(13, 72, 12, 20, 40, 3, 3, 1, {2, 2, 1, 1, 1, 1}), 1, 1),
           with_extra(shape_of(3, 3, 32, 76, 40, 7, 7, 1, {2, 2, 2, 2, 1, 1}), 1, 1),
       }) {
    s.nominal_n = s.n;
    shapes.push_back(s);
    s.n = 0;
    shapes.push_back(s);
  }
  return shapes;
}

TEST(Conv2d, ForwardMatchesDoubleReference) {
  for (const Conv2dShape& s : awkward_shapes()) {
    const Operands o(s);
    const auto want = forward_reference(s, o);
    for (const auto& backend : test::testable_backends()) {
      EXPECT_LE(test::error_over_rms(forward(s, o, *backend), want), 5e-6) << name(s);
    }
  }
}

TEST(Conv2d, BackwardDataMatchesDoubleReference) {
  for (const Conv2dShape& s : awkward_shapes()) {
    const Operands o(s);
    const auto want = backward_data_reference(s, o);
    for (const auto& backend : test::testable_backends()) {
      EXPECT_LE(test::error_over_rms(backward_data(s, o, *backend), want), 5e-6) << name(s);
    }
  }
}

TEST(Conv2d, BackwardWeightsMatchesDoubleReference) {
  for (const Conv2dShape& s : awkward_shapes()) {
    const Operands o(s);
    const auto want = backward_weights_reference(s, o);
    for (const auto& backend : test::testable_backends()) {
      EXPECT_LE(test::error_over_rms(backward_weights(s, o, *backend), want), 5e-6) << name(s);
    }
  }
}

TEST(Conv2d, MorePaddingAtTheEndMatchesReferenceInEveryAlgorithm) {
  int cases = 0;
  for (const Conv2dShape& s : shapes_of_every_algorithm()) {
    if (s.n == 0 || (s.extra_h == 0 && s.extra_w == 0)) continue;
    const Operands o(s);
    const auto y = forward_reference(s, o);
    const auto dx = backward_data_reference(s, o);
    const auto dw = backward_weights_reference(s, o);
    for (const Conv2dAlgorithm algorithm : conv2d_algorithms()) {
      Conv2dChoices everywhere(algorithm);
      const UseConv2dChoices use(everywhere);
      for (const cpu::Isa isa : cpu::isas_of_this_cpu()) {
        const std::string what = name(s) + " by " + name_of(algorithm);
        EXPECT_LE(test::error_over_rms(forward(s, o, isa), y), 2e-5) << what;
        EXPECT_LE(test::error_over_rms(backward_data(s, o, isa), dx), 2e-5) << what;
        EXPECT_LE(test::error_over_rms(backward_weights(s, o, isa), dw), 2e-5) << what;
        ++cases;
      }
    }
  }
  EXPECT_GE(cases, 13 * static_cast<int>(conv2d_algorithms().size()));
}

TEST(Conv2d, AnEmptyBatchHasNoMomentsAndNoGradient) {
  for (Conv2dShape s : shapes_of_every_algorithm()) {
    s.n = 0;
    const Operands o(s);
    for (const cpu::Isa isa : cpu::isas_of_this_cpu()) {
      std::vector<float> moments(static_cast<std::size_t>(2 * s.k), -7.0F);
      Epilogue e;
      e.bn_mean_var = test::view_of(moments, {2, s.k});
      EXPECT_THAT(forward(s, o, isa, e), ::testing::IsEmpty()) << name(s);
      EXPECT_THAT(moments, ::testing::Each(0.0F)) << name(s);
      EXPECT_THAT(backward_data(s, o, isa), ::testing::IsEmpty()) << name(s);
      EXPECT_THAT(backward_weights(s, o, isa), ::testing::Each(0.0F)) << name(s);
    }
  }
}

TEST(Conv2d, EpilogueInEveryCombination) {
  for (const Conv2dShape& s : {shape_of(3, 20, 11, 10, 37, 3, 3, 1, {1, 1, 1, 1, 1, 1}),
                               shape_of(2, 12, 7, 6, 8, 3, 3, 4, {2, 2, 1, 1, 1, 1}),
                               shape_of(2, 21, 8, 9, 21, 3, 3, 21, {1, 1, 1, 1, 1, 1}),
                               shape_of(2, 24, 41, 36, 48, 3, 3, 24, {1, 1, 1, 1, 1, 1}),
                               shape_of(2, 3, 40, 33, 21, 3, 3, 1, {1, 1, 1, 1, 1, 1}),
                               shape_of(1, 19, 9, 70, 19, 3, 3, 19, {2, 2, 1, 1, 1, 1}),
                               shape_of(1, 13, 6, 9, 13, 3, 5, 13, {1, 2, 1, 2, 1, 1}),
                               shape_of(2, 16, 13, 12, 104, 1, 1),  // few k
                               shape_of(1, 300, 4, 4, 40, 1, 1)}) {
    const Operands o(s);
    test::expect_every_epilogue(s, o, 5e-6, test::backend_paths(s, o));
  }
}

// A mean far above the spread: a sum of squares in f32 would lose the variance altogether.
TEST(Conv2d, MomentsSurviveALargeMean) {
  const Conv2dShape s = shape_of(4, 1, 40, 40, 3, 1, 1);
  Operands o(s, 1000.0F, 0.5F);
  o.w = {1, -2, 0.5F};
  std::vector<float> mean_var(6);
  Epilogue e;
  e.bn_mean_var = test::view_of(mean_var, {2, 3});
  for (const auto& backend : test::testable_backends()) {
    const auto y = forward(s, o, *backend, e);
    const auto moments = moments_reference(y, s.k);
    for (std::size_t k = 0; k < 3; ++k) {
      EXPECT_NEAR(mean_var[k], moments[k], 1e-6 * std::fabs(moments[k]));
      EXPECT_NEAR(mean_var[3 + k], moments[3 + k], 1e-4 * moments[3 + k]);
    }
  }
}

TEST(Conv2d, LargeMeansAndRangesKeepTheirRelativePrecision) {
  const Conv2dShape s = shape_of(2, 24, 14, 14, 24, 3, 3, 1, {1, 1, 1, 1, 1, 1});
  for (const auto& [mean, range] : {std::pair{10.0F, 1.0F}, {0.0F, 1e3F}}) {
    const Operands o(s, mean, range);
    const auto want = forward_reference(s, o);
    for (const auto& backend : test::testable_backends()) {
      EXPECT_LE(test::error_over_rms(forward(s, o, *backend), want), 1e-5);
    }
  }
}

TEST(Conv2d, SameBitsForAnyThreadCount) {
  test::expect_same_bits_for_any_thread_count(
      {shape_of(4, 16, 20, 19, 40, 3, 3, 1, {1, 1, 1, 1, 1, 1}),
       shape_of(3, 20, 15, 15, 24, 3, 3, 1, {2, 2, 1, 1, 1, 1}),
       shape_of(3, 24, 45, 40, 24, 3, 3, 24, {1, 1, 1, 1, 1, 1}),
       shape_of(2, 3, 50, 45, 9, 3, 3, 1, {1, 1, 1, 1, 1, 1}),
       shape_of(3, 13, 45, 40, 26, 3, 3, 13, {2, 2, 1, 1, 1, 1})});
}

TEST(Conv2d, PackedWeightsGiveTheSameBits) {
  test::expect_same_bits_for_packed_weights(shapes_of_every_algorithm());
}

TEST(Conv2d, WorkspaceStaysWithinWhatIsReported) {
  for (const Conv2dShape& s : shapes_of_every_algorithm()) {
    const Operands o(s);
    for (const cpu::Isa isa : cpu::isas_of_this_cpu()) {
      for (const Conv2dPass pass :
           {Conv2dPass::Forward, Conv2dPass::BackwardData, Conv2dPass::BackwardWeights}) {
        std::size_t taken = 0;
        ThreadPool pool(2);
        Workspace workspace(
            [&](std::size_t n) {
              taken += n;
              return ::operator new (n, std::align_val_t{64});
            },
            [](void* p, std::size_t) { ::operator delete (p, std::align_val_t{64}); });
        // One chunk of the reported size must be enough: a second request adds to `taken`.
        const std::size_t reported = cpu::conv2d_workspace_bytes(isa, pass, s);
        {
          Workspace::Scope scope(workspace);
          scope.take(reported + 1);
        }
        const std::size_t before = taken;
        ExecContext context{pool, workspace};
        std::vector<float> y(o.dy.size() + 1);
        std::vector<float> dx(o.x.size() + 1);
        std::vector<float> dw(o.w.size() + 1);
        std::vector<float> mean_var(static_cast<std::size_t>(2 * s.k));
        Epilogue e;
        e.bn_mean_var = test::view_of(mean_var, {2, s.k});
        const ConstView x_view = test::view_of(o.x, s.input_shape());
        const ConstView w_view = test::view_of(o.w, s.weight_shape());
        const ConstView dy_view = test::view_of(o.dy, s.output_shape());
        const cpu::Call call{context, isa};
        if (pass == Conv2dPass::Forward) {
          cpu::run(call, Conv2dForward{.shape = s,
                                       .x = x_view,
                                       .w = w_view,
                                       .epilogue = e,
                                       .y = test::view_of(y, s.output_shape())});
        } else if (pass == Conv2dPass::BackwardData) {
          cpu::run(call, Conv2dBackwardData{.shape = s,
                                            .dy = dy_view,
                                            .w = w_view,
                                            .dx = test::view_of(dx, s.input_shape())});
        } else {
          cpu::run(call, Conv2dBackwardWeights{.shape = s,
                                               .x = x_view,
                                               .dy = dy_view,
                                               .dw = test::view_of(dw, s.weight_shape())});
        }
        EXPECT_EQ(taken, before) << name(s) << ", reported " << reported;
      }
    }
  }
}

TEST(Conv2d, NominalBatchDecidesTheAlgorithm) {
  // Two images of one tile each are too few for Winograd, sixteen are enough.
  const Conv2dShape full = shape_of(16, 64, 4, 4, 64, 3, 3, 1, {1, 1, 1, 1, 1, 1});
  Conv2dShape last = full;
  last.n = 2;
  for (const Conv2dPass pass :
       {Conv2dPass::Forward, Conv2dPass::BackwardData, Conv2dPass::BackwardWeights}) {
    EXPECT_NE(choose_conv2d(pass, full), choose_conv2d(pass, last));
    last.nominal_n = full.n;
    EXPECT_EQ(choose_conv2d(pass, full), choose_conv2d(pass, last));
    last.nominal_n = 0;
  }
  last.nominal_n = full.n;
  for (const cpu::Isa isa : cpu::isas_of_this_cpu()) {
    const Operands o(full);
    auto y = forward(full, o, isa);
    auto dx = backward_data(full, o, isa);
    Operands first(last);  // the same leading images: data are a function of the index
    y.resize(first.dy.size());
    dx.resize(first.x.size());
    EXPECT_EQ(forward(last, first, isa), y);
    EXPECT_EQ(backward_data(last, first, isa), dx);
  }
}

TEST(Conv2d, ChannelsOfTheirOwnAreDepthwise) {
  const Conv2dShape s = shape_of(1, 6, 7, 7, 12, 3, 3, 6, {1, 1, 1, 1, 1, 1});
  for (const Conv2dPass pass :
       {Conv2dPass::Forward, Conv2dPass::BackwardData, Conv2dPass::BackwardWeights}) {
    EXPECT_EQ(choose_conv2d(pass, s), Conv2dAlgorithm::Depthwise);
  }
  EXPECT_EQ(choose_conv2d(Conv2dPass::Forward, shape_of(1, 6, 7, 7, 12, 3, 3, 3)),
            Conv2dAlgorithm::ImplicitGemm);
}

TEST(Conv2d, PackKeysTellOrdersApart) {
  const cpu::Isa isa = cpu::Isa::Portable;
  const Conv2dShape a = shape_of(1, 8, 9, 9, 8, 3, 3, 1, {2, 2, 1, 1, 1, 1});
  Conv2dShape b = a;
  b.window.pad_h = 0;
  EXPECT_STREQ(cpu::conv2d_algorithm(isa, Conv2dPass::Forward, a), "implicit_gemm");
  EXPECT_EQ(cpu::conv2d_pack_key(isa, Conv2dPass::Forward, a),
            cpu::conv2d_pack_key(isa, Conv2dPass::Forward, b));
  // The order of packed weights differs between these two.
  EXPECT_NE(cpu::conv2d_pack_key(isa, Conv2dPass::BackwardData, a),
            cpu::conv2d_pack_key(isa, Conv2dPass::BackwardData, b));
  EXPECT_NE(cpu::conv2d_pack_key(isa, Conv2dPass::Forward, a),
            cpu::conv2d_pack_key(cpu::Isa::Avx2, Conv2dPass::Forward, a));
}

}  // namespace
}  // namespace hanok
