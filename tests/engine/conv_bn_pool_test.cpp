// The fused stem against what it means: max_pool2d(relu(batch_norm(conv2d(x)))).
#include <algorithm>
#include <limits>

#include "tests/engine/references.h"

namespace hanok::testing {
namespace {

struct Case {
  const char* what;
  Shape x, weight;
  Window2d window;
  std::int64_t kernel;
  Window2d pool;
  bool bias = false;
};

const Case kCases[] = {
    {"ResNet's stem", {2, 3, 13, 11}, {9, 3, 7, 7}, {2, 2, 3, 3, 1, 1}, 3, {2, 2, 1, 1, 1, 1}},
    {"VGG's", {2, 3, 6, 6}, {17, 3, 3, 3}, {1, 1, 1, 1, 1, 1}, 2, {2, 2, 0, 0, 1, 1}, true},
};

std::vector<Array> inputs_of(const Case& c) {
  const std::int64_t channels = c.weight[0];
  std::vector<Array> inputs = {random_array(c.x, 1), random_array(c.weight, 2),
                               random_array({channels}, 3, -1.5, 1.5), random_array({channels}, 4)};
  if (c.bias) inputs.push_back(random_array({channels}, 5));
  return inputs;
}

ops::BatchNormState norm_of(const Case& c, const std::vector<Tensor>& in, bool training) {
  const std::int64_t channels = c.weight[0];
  ops::BatchNormState bn;
  bn.weight = in[2];
  bn.bias = in[3];
  bn.running_mean = to_tensor(random_array({channels}, 7));
  bn.running_var = to_tensor(random_array({channels}, 8, 0.5, 4));
  bn.num_batches_tracked = new_zeros({}, DType::I64);
  bn.training = training;
  return bn;
}

Tensor fused(const Case& c, const std::vector<Tensor>& in, const ops::BatchNormState& bn) {
  return ops::conv_bn_relu_max_pool2d(in[0], {in[1], c.bias ? in[4] : Tensor(), c.window, 1}, bn,
                                      c.kernel, c.kernel, c.pool);
}

Tensor composed(const Case& c, const std::vector<Tensor>& in, const ops::BatchNormState& bn) {
  const Tensor z = ops::conv2d(in[0], in[1], c.bias ? in[4] : Tensor(), c.window);
  return ops::max_pool2d(ops::relu(ops::batch_norm(z, bn)), c.kernel, c.kernel, c.pool);
}

Array reference(const Case& c, const std::vector<Array>& in) {
  const Array z = reference_conv2d(in[0], in[1], nullptr, c.window, 1);
  const Array y = reference_normalise(z, reference_moments(z), 1e-5, &in[2], &in[3]);
  const auto size = [&](std::int64_t length) {
    return (length + 2 * c.pool.pad_h - c.kernel) / c.pool.stride_h + 1;
  };
  Array pooled({y.shape[0], y.shape[1], size(y.shape[2]), size(y.shape[3])}, 0);  // ReLU's least
  for_each_index(pooled.shape, [&](const std::vector<std::int64_t>& i) {
    double& best = pooled({i[0], i[1], i[2], i[3]});
    for (std::int64_t tap = 0; tap < c.kernel * c.kernel; ++tap) {
      const std::int64_t h = i[2] * c.pool.stride_h - c.pool.pad_h + tap / c.kernel;
      const std::int64_t w = i[3] * c.pool.stride_w - c.pool.pad_w + tap % c.kernel;
      if (h < 0 || h >= y.shape[2] || w < 0 || w >= y.shape[3]) continue;
      best = std::max(best, y({i[0], i[1], h, w}));
    }
  });
  return pooled;
}

TEST(ConvBnReluMaxPool2d, TrainingMatchesReference) {
  const Case& c = kCases[0];
  check_op(
      c.what, [&](const std::vector<Tensor>& in) { return fused(c, in, norm_of(c, in, true)); },
      [&](const std::vector<Array>& in) { return reference(c, in); }, inputs_of(c), {3e-6, 2e-5});
}

/// Every subset of inputs may be frozen; the composition says which gradients there are and what.
TEST(ConvBnReluMaxPool2d, EqualsTheCompositionForEverySubsetOfTrainedInputs) {
  for (const Case& c : kCases) {
    const std::vector<Array> arrays = inputs_of(c);
    for (const bool training : {true, false}) {
      for (std::uint32_t subset = 0; subset < (1U << arrays.size()); ++subset) {
        if (!test_device().is_cpu() && subset % 7 != 0) continue;  // the emulator is slow
        SCOPED_TRACE(std::string(c.what) + (training ? " training" : " evaluation") + ", trained " +
                     std::to_string(subset));
        const auto make = [&] {
          std::vector<Tensor> in;
          for (std::size_t i = 0; i < arrays.size(); ++i) {
            in.push_back(to_tensor(arrays[i]));
            in.back().set_requires_grad((subset >> i & 1U) != 0);
          }
          return in;
        };
        const std::vector<Tensor> a = make();
        const std::vector<Tensor> b = make();
        const ops::BatchNormState fused_norm = norm_of(c, a, training);
        const ops::BatchNormState composed_norm = norm_of(c, b, training);
        const Tensor y = fused(c, a, fused_norm);
        const Tensor expected = composed(c, b, composed_norm);
        expect_close(y, to_array(expected), 2e-6, "y");
        expect_close(fused_norm.running_var, to_array(composed_norm.running_var), 1e-6, "var");
        ASSERT_EQ(y.requires_grad(), subset != 0);
        if (subset == 0) continue;
        const Tensor dy = to_tensor(random_array(y.shape(), 9));
        y.backward(dy);
        expected.backward(dy);
        for (std::size_t i = 0; i < a.size(); ++i) {
          ASSERT_EQ(a[i].grad().defined(), b[i].grad().defined()) << "input " << i;
          if (!a[i].grad().defined() || (training && i == 4)) continue;  // a bias's is 0
          expect_close(a[i].grad(), to_array(b[i].grad()), 1e-5, "gradient " + std::to_string(i));
        }
      }
    }
  }
}

TEST(ConvBnReluMaxPool2d, ErrorsNameTheOpAndAllShapes) {
  const Tensor x = new_zeros({2, 3, 4, 4});
  const ops::Conv2dArguments conv{new_zeros({5, 3, 3, 3}), {}, {}, 1};
  EXPECT_EQ(message_of<ShapeError>([&] { ops::conv_bn_relu_max_pool2d(x, conv, {}, 3, 3, {}); }),
            "conv_bn_relu_max_pool2d: a kernel of 3x3 does not fit into the padded input (input "
            "[2,3,4,4], weight [5,3,3,3])");
}

}  // namespace
}  // namespace hanok::testing
