// The block as one primitive against its three convolutions: the same bits, whatever the strips,
// bands and threads; and against their plain definition.
#include "hanok/kernels/cpu/conv2d/inverted_residual.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <string>

#include "hanok/kernels/cpu/call.h"
#include "tests/kernels/conv2d_reference.h"
#include "tests/kernels/kernel_context.h"

namespace hanok {
namespace {

using test::KernelContext;
using test::test_data;
using test::view_of;

// n, c, h, w, hidden, k, stride, expands
const std::vector<InvertedResidualShape>& shapes() {
  static const std::vector<InvertedResidualShape> shapes = {
      {2, 8, 14, 14, 48, 8, 1, true},      // whole vectors and panels
      {1, 5, 9, 11, 19, 7, 1, true},       // odd sizes everywhere
      {2, 24, 15, 13, 144, 24, 2, true},   // strided over odd sizes
      {1, 4, 61, 57, 96, 12, 1, true},     // several strips and pieces of rows
      {2, 16, 112, 112, 96, 24, 2, true},  // several bands, a ring of few rows
      {1, 6, 8, 300, 200, 6, 1, true},     // bands of a single row
      {3, 32, 20, 18, 32, 16, 1, false},   // nothing expands
      {2, 11, 7, 7, 11, 40, 2, false},     // the same, strided
      {1, 3, 1, 1, 18, 3, 1, true},        // one pixel
      {4, 40, 7, 6, 1160, 300, 1, true},   // several blocks of k
      {0, 8, 14, 14, 48, 8, 1, true},      // no images
  };
  return shapes;
}

std::string name(const InvertedResidualShape& s) {
  return test::name(s.depthwise()) + (s.expands ? " from " : " without ") + std::to_string(s.c) +
         " to " + std::to_string(s.k);
}

// Operands of a block: weights, scales and shifts of its convolutions.
struct Block {
  InvertedResidualShape shape;
  Conv2dShape convolutions[3];
  std::vector<float> x, w[3], scale[3], shift[3];

  explicit Block(const InvertedResidualShape& s)
      : shape(s), convolutions{s.expand(), s.depthwise(), s.project()} {
    x = test_data(s.expand().input_shape().numel(), 1);
    for (int i = 0; i < 3; ++i) {
      const Conv2dShape& conv = convolutions[i];
      const auto seed = std::uint64_t{10} * static_cast<std::uint64_t>(i);
      // Of a size that brings the middle of the results between 0 and 6, some beyond.
      const float range = 2 / std::sqrt(static_cast<float>(conv.c_per_group() * conv.r * conv.s));
      w[i] = test_data(conv.weight_shape().numel(), 2 + seed, 0, range);
      scale[i] = test_data(conv.k, 3 + seed, 1.5F, 1);
      shift[i] = test_data(conv.k, 4 + seed, 2, 4);
    }
  }

  bool residual() const { return shape.stride == 1 && shape.c == shape.k; }

  Epilogue epilogue(int i) const {
    const Conv2dShape& conv = convolutions[i];
    Epilogue e;
    e.scale = view_of(scale[i], {conv.k});
    e.shift = view_of(shift[i], {conv.k});
    if (i < 2) e.activation = Activation::Relu6;
    if (i == 2 && residual()) e.residual = view_of(x, conv.output_shape());
    return e;
  }
  FusedConvolution fused(int i) const {
    return {view_of(w[i], convolutions[i].weight_shape()), nullptr, epilogue(i)};
  }

  std::vector<float> run(cpu::Isa isa, int threads) const {
    KernelContext context(threads);
    std::vector<float> y(static_cast<std::size_t>(convolutions[2].output_shape().numel()), -7.0F);
    InvertedResidual call;
    call.shape = shape;
    call.x = view_of(x, convolutions[0].input_shape());
    if (shape.expands) call.expand = fused(0);
    call.depthwise = fused(1);
    call.project = fused(2);
    call.y = view_of(y, convolutions[2].output_shape());
    cpu::run({context, isa}, call);
    return y;
  }

  std::vector<float> run_one_by_one(cpu::Isa isa) const {
    KernelContext context;
    std::vector<float> last = x;
    for (int i = shape.expands ? 0 : 1; i < 3; ++i) {
      const Conv2dShape& conv = convolutions[i];
      std::vector<float> y(static_cast<std::size_t>(conv.output_shape().numel()));
      cpu::run({context, isa}, Conv2dForward{.shape = conv,
                                             .x = view_of(last, conv.input_shape()),
                                             .w = view_of(w[i], conv.weight_shape()),
                                             .epilogue = epilogue(i),
                                             .y = view_of(y, conv.output_shape())});
      last = y;
    }
    return last;
  }

  std::vector<double> reference() const {
    std::vector<double> last(x.begin(), x.end());
    for (int i = shape.expands ? 0 : 1; i < 3; ++i) {
      const Conv2dShape& conv = convolutions[i];
      std::vector<double> y(static_cast<std::size_t>(conv.output_shape().numel()));
      test::for_each_product(conv, [&](std::size_t at, std::size_t from, std::size_t weight) {
        y[at] += last[from] * static_cast<double>(w[i][weight]);
      });
      for (std::size_t j = 0; j < y.size(); ++j) {
        const std::size_t channel = j % static_cast<std::size_t>(conv.k);
        y[j] =
            y[j] * static_cast<double>(scale[i][channel]) + static_cast<double>(shift[i][channel]);
        if (i < 2) y[j] = std::clamp(y[j], 0.0, 6.0);
        if (i == 2 && residual()) y[j] += static_cast<double>(x[j]);
      }
      last = y;
    }
    return last;
  }
};

TEST(InvertedResidual, MatchesDoubleReference) {
  for (const InvertedResidualShape& s : shapes()) {
    const Block block(s);
    const auto want = block.reference();
    for (const cpu::Isa isa : cpu::isas_of_this_cpu()) {
      EXPECT_LE(test::error_over_rms(block.run(isa, 2), want), 1e-5) << name(s);
    }
  }
}

TEST(InvertedResidual, SameBitsAsItsConvolutionsForAnyThreadCount) {
  for (const InvertedResidualShape& s : shapes()) {
    const Block block(s);
    for (const cpu::Isa isa : cpu::isas_of_this_cpu()) {
      const auto want = block.run_one_by_one(isa);
      for (const int threads : {1, 2, 3}) EXPECT_EQ(block.run(isa, threads), want) << name(s);
    }
  }
}

// As products of integers, with the same bits too.
TEST(InvertedResidual, InIntegersSameBitsAsItsConvolutions) {
  for (InvertedResidualShape s : shapes()) {
    s.int16 = 1;
    const Block block(s);
    const auto want = block.reference();
    for (const cpu::Isa isa : cpu::isas_of_this_cpu()) {
      const auto one_by_one = block.run_one_by_one(isa);
      for (const int threads : {1, 3}) EXPECT_EQ(block.run(isa, threads), one_by_one) << name(s);
      EXPECT_LE(test::error_over_rms(one_by_one, want), 6e-3) << name(s);
    }
  }
}

TEST(InvertedResidual, FusesWhereSeveralThreadsFindWork) {
  EXPECT_TRUE(cpu::fuses_inverted_residual({16, 160, 7, 7, 960, 160, 1, true}));
  EXPECT_TRUE(cpu::fuses_inverted_residual({1, 96, 14, 14, 576, 96, 1, true}));
  EXPECT_FALSE(cpu::fuses_inverted_residual({1, 160, 7, 7, 960, 160, 1, true}));
  EXPECT_FALSE(cpu::fuses_inverted_residual({16, 96, 14, 14, 576, 96, 3, true}));
}

}  // namespace
}  // namespace hanok
