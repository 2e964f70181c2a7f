// The gradient of a tensor that several convolutions read: a large one is added in parts.
#include "hanok/engine/autograd.h"
#include "hanok/engine/generator.h"
#include "hanok/engine/precision.h"
#include "tests/engine/kernel_counter.h"
#include "tests/engine/op_check.h"

namespace hanok::testing {
namespace {

/// Two convolutions of 9 images and the gradients of their outputs.
struct Readers {
  Readers() {
    Generator generator(3);
    x = random_normal({9, 32, 62, 62}, 0, 1, generator);
    weights = {random_normal({32, 32, 3, 3}, 0, 0.1F, generator),
               random_normal({48, 32, 1, 1}, 0, 0.1F, generator)};
    dy = {random_normal({9, 32, 62, 62}, 0, 1, generator),
          random_normal({9, 48, 31, 31}, 0, 1, generator)};
    for (Tensor& weight : weights) weight.set_requires_grad(true);
  }
  void backward(const Tensor& input) const {
    const Tensor first = ops::conv2d(input, weights[0], {}, {.pad_h = 1});
    const Tensor second = ops::conv2d(input, weights[1], {}, {.stride_h = 2});
    ops::add(ops::sum(ops::mul(first, dy[0])), ops::sum(ops::mul(second, dy[1]))).backward();
  }

  Tensor x;
  std::vector<Tensor> weights, dy;
};

class Conv2dSum : public ::testing::TestWithParam<Precision> {};

INSTANTIATE_TEST_SUITE_P(Precisions, Conv2dSum, ::testing::Values(Precision::F32, Precision::Int16),
                         [](const auto& info) {
                           return info.param == Precision::F32 ? "F32" : "Int16";
                         });

// A leaf's gradient is the sum of whole ones.
TEST_P(Conv2dSum, InPartsHasTheBitsOfTheWhole) {
  const PrecisionScope scope(GetParam());
  const Readers readers;
  Tensor leaf = readers.x.clone();
  leaf.set_requires_grad(true);
  Tensor before = readers.x.clone();
  before.set_requires_grad(true);
  const KernelCounter calls;
  readers.backward(leaf);
  EXPECT_EQ(calls["conv2d_backward_data"], 2);
  readers.backward(ops::affine(before, 1, 0));
  EXPECT_EQ(calls["conv2d_backward_data"], 2 + 1 + 3) << "9 images in parts of 3";
  expect_same_bits(before.grad(), leaf.grad(), "gradient");
}

}  // namespace
}  // namespace hanok::testing
