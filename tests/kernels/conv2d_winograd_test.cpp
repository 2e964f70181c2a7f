#include <algorithm>
#include <gtest/gtest.h>
#include <string>

#include "hanok/kernels/cpu/call.h"
#include "hanok/kernels/cpu/conv2d/conv2d.h"
#include "tests/kernels/conv2d_accuracy.h"
#include "tests/kernels/conv2d_epilogues.h"
#include "tests/kernels/conv2d_reference.h"
#include "tests/kernels/conv2d_same_bits.h"
#include "tests/kernels/kernel_context.h"

namespace hanok {
namespace {

using test::KernelContext;
using test::name;
using test::Operands;
using test::shape_of;

// The worst single element over the rms of all; the typical (rms) error is a tenth of it.
constexpr double kWorst = 2e-5;
constexpr test::ErrorBounds kBounds{kWorst, 2e-6};

Conv2dShape conv3x3(std::int64_t n, std::int64_t c, std::int64_t h, std::int64_t w, std::int64_t k,
                    std::int64_t pad_h = 1, std::int64_t pad_w = 1) {
  return shape_of(n, c, h, w, k, 3, 3, 1, {1, 1, pad_h, pad_w, 1, 1});
}

const std::vector<Conv2dShape>& winograd_shapes() {
  static const std::vector<Conv2dShape> shapes = {
      conv3x3(1, 32, 16, 16, 32),       // whole tiles
      conv3x3(2, 40, 13, 14, 56),       // tiles cut by 3 and 2, panels and groups cut by 8
      conv3x3(3, 64, 9, 11, 32, 0, 2),  // no padding above, the most beside
      conv3x3(5, 32, 7, 7, 72, 2, 0),   // several blocks of tiles
      conv3x3(12, 32, 2, 3, 32),        // images smaller than a tile
      conv3x3(12, 32, 1, 1, 40),        // one pixel
      conv3x3(1, 136, 17, 12, 128),     // deep: staged, two blocks of k
      conv3x3(36, 264, 7, 7, 40),       // deep: several blocks of tiles, uneven channels
      conv3x3(5, 136, 14, 5, 128),   // deep: short tiles, 4 + 4 + 3 + 3 and 4 + 3 that sticks out
      conv3x3(4, 136, 13, 6, 128),   // 4 + 3 + 3 + 3
      conv3x3(13, 136, 7, 16, 128),  // short tiles in one direction, two blocks
      conv3x3(4, 32, 41, 33, 32),    // several slices of the weight gradient
  };
  return shapes;
}

TEST(Conv2dWinograd, MatchesDoubleReference) {
  for (const Conv2dPass pass :
       {Conv2dPass::Forward, Conv2dPass::BackwardData, Conv2dPass::BackwardWeights}) {
    test::expect_accurate(Conv2dAlgorithm::Winograd4x4, pass, winograd_shapes(), kBounds);
  }
}

TEST(Conv2dWinograd, LargeMeansAndRangesKeepTheBound) {
  test::expect_accurate_on_large_values(
      conv3x3(2, 64, 14, 14, 64),
      {Conv2dPass::Forward, Conv2dPass::BackwardData, Conv2dPass::BackwardWeights}, 1e-4);
}

TEST(Conv2dWinograd, EpilogueInEveryCombination) {
  for (const Conv2dShape& s : {conv3x3(2, 32, 11, 10, 40), conv3x3(2, 232, 9, 10, 40)}) {
    const Operands o(s, 0, 0.1F);  // outputs of some units, most of which ReLU6 leaves
    test::expect_every_epilogue(s, o, kWorst, test::isa_paths(s, o));
  }
}

TEST(Conv2dWinograd, SameBitsForAnyThreadCountAndForPackedWeights) {
  const std::vector<Conv2dShape> shapes = {conv3x3(4, 32, 29, 31, 40), conv3x3(3, 232, 11, 13, 40),
                                           conv3x3(36, 232, 7, 7, 40),   // two deep blocks of tiles
                                           conv3x3(2, 32, 9, 11, 232)};  // deep, few inputs
  test::expect_same_bits_for_any_thread_count(shapes);
  test::expect_same_bits_for_packed_weights(shapes);
}

// Guards around every output: nothing is written outside of it.
TEST(Conv2dWinograd, WritesOnlyItsOutput) {
  constexpr std::size_t kGuard = 64;
  for (const Conv2dShape& s : {conv3x3(1, 32, 13, 15, 40), conv3x3(2, 232, 6, 7, 40)}) {
    const Operands o(s);
    for (const cpu::Isa isa : cpu::isas_of_this_cpu()) {
      KernelContext context;
      const auto guarded = [&](const Shape& shape, auto run) {
        const auto n = static_cast<std::size_t>(shape.numel());
        std::vector<float> out(n + 2 * kGuard, -7.0F);
        run(View{out.data() + kGuard, DType::F32, shape});
        for (std::size_t i = 0; i < kGuard; ++i) {
          EXPECT_EQ(out[i], -7.0F) << name(s);
          EXPECT_EQ(out[kGuard + n + i], -7.0F) << name(s);
        }
        EXPECT_EQ(std::count(out.begin(), out.end(), -7.0F), 2 * kGuard) << name(s);
      };
      const ConstView x = test::view_of(o.x, s.input_shape());
      const ConstView w = test::view_of(o.w, s.weight_shape());
      const ConstView dy = test::view_of(o.dy, s.output_shape());
      const cpu::Call call{context, isa};
      guarded(s.output_shape(),
              [&](View y) { cpu::run(call, Conv2dForward{.shape = s, .x = x, .w = w, .y = y}); });
      guarded(s.input_shape(), [&](View dx) {
        cpu::run(call, Conv2dBackwardData{.shape = s, .dy = dy, .w = w, .dx = dx});
      });
      guarded(s.weight_shape(), [&](View dw) {
        cpu::run(call, Conv2dBackwardWeights{.shape = s, .x = x, .dy = dy, .dw = dw});
      });
    }
  }
}

}  // namespace
}  // namespace hanok
