// Every op gives the same bits for any number of threads, forward and backward. Sizes are above the
// blocks into which kernels cut their work, with tails.
#include "hanok/engine/generator.h"
#include "hanok/engine/runtime.h"
#include "tests/engine/op_check.h"

namespace hanok::testing {
namespace {

struct Case {
  const char* what;
  Op op;
  std::vector<Shape> inputs;
};

std::vector<Case> cases() {
  const Window2d same{1, 1, 1, 1, 1, 1};
  const Window2d half{2, 2, 1, 1, 1, 1};
  const Tensor labels = [] {
    std::vector<std::int64_t> values(3001);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<std::int64_t>(i % 18);
    return Tensor::from_vector(values, {3001});
  }();
  const auto norm = [](const std::vector<Tensor>& x) {
    ops::BatchNormState state;
    state.weight = x[1];
    state.bias = x[2];
    return state;
  };
  const Shape map{5, 24, 31, 29};
  return {
      {"add", [](const auto& x) { return ops::add(x[0], x[1]); }, {map, {24, 1, 1}}},
      {"div", [](const auto& x) { return ops::div(x[0], ops::exp(x[1])); }, {{301, 257}, {257}}},
      {"gelu", [](const auto& x) { return ops::gelu(x[0]); }, {map}},
      {"sum", [](const auto& x) { return ops::sum(x[0]); }, {map}},
      {"mean over pixels",
       [](const auto& x) {
         return ops::mean(x[0], {0, 2, 3});
       },
       {map}},
      {"mean over channels", [](const auto& x) { return ops::mean(x[0], {1}); }, {map}},
      {"max", [](const auto& x) { return ops::max(x[0], 1).first; }, {map}},
      {"matmul", [](const auto& x) { return ops::matmul(x[0], x[1]); }, {{203, 517}, {517, 301}}},
      {"linear",
       [](const auto& x) { return ops::linear(x[0], x[1], x[2]); },
       {{37, 513}, {101, 513}, {101}}},
      {"conv2d 3x3",
       [=](const auto& x) { return ops::conv2d(x[0], x[1], x[2], same); },
       {map, {40, 24, 3, 3}, {40}}},
      {"conv2d 1x1, strided",
       [=](const auto& x) {
         return ops::conv2d(x[0], x[1], {}, {2, 2, 0, 0, 1, 1});
       },
       {map, {40, 24, 1, 1}}},
      {"conv2d 7x7",
       [=](const auto& x) {
         return ops::conv2d(x[0], x[1], {}, {2, 2, 3, 3, 1, 1});
       },
       {{3, 3, 61, 59}, {24, 3, 7, 7}}},
      {"conv2d depthwise",
       [=](const auto& x) { return ops::conv2d(x[0], x[1], {}, same, 24); },
       {map, {24, 1, 3, 3}}},
      {"batch_norm",
       [=](const auto& x) { return ops::batch_norm(x[0], norm(x)); },
       {map, {24}, {24}}},
      {"conv_bn_act",
       [=](const auto& x) {
         return ops::conv_bn_act(x[0], {x[4], {}, same, 1}, norm(x), x[3]);
       },
       {map, {24}, {24}, map, {24, 24, 3, 3}}},
      {"max_pool2d", [=](const auto& x) { return ops::max_pool2d(x[0], 3, 3, half); }, {map}},
      {"avg_pool2d", [=](const auto& x) { return ops::avg_pool2d(x[0], 3, 3, half); }, {map}},
      {"adaptive_avg_pool2d",
       [](const auto& x) { return ops::adaptive_avg_pool2d(x[0], 3, 2); },
       {map}},
      {"softmax", [](const auto& x) { return ops::softmax(x[0], 1); }, {{3001, 18}}},
      {"cross_entropy",
       [=](const auto& x) { return ops::cross_entropy(x[0], labels); },
       {{3001, 18}}},
      {"dropout",
       [](const auto& x) {
         Generator::global().begin_step(1, 2);
         return ops::dropout(x[0], 0.3F, true);
       },
       {map}},
      {"permute",
       [](const auto& x) {
         return ops::permute(x[0], {0, 2, 3, 1});
       },
       {map}},
      {"flatten", [](const auto& x) { return ops::flatten(x[0], 1); }, {map}},
      {"group_norm",
       [](const auto& x) { return ops::group_norm(x[0], 4, x[1], x[2]); },
       {map, {24}, {24}}},
      {"index_select",
       [=](const auto& x) { return ops::index_select(x[0], 0, labels); },
       {{18, 601}}},
  };
}

TEST(Threads, EveryOpHasTheSameBitsForAnyNumberOfThem) {
  const int before = num_threads();
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.what);
    std::vector<Tensor> first;
    for (const int threads : {1, 2, 5}) {
      set_num_threads(threads);
      std::vector<Tensor> inputs;
      for (std::size_t i = 0; i < c.inputs.size(); ++i) {
        inputs.push_back(to_tensor(random_array(c.inputs[i], static_cast<std::uint32_t>(i + 1))));
        inputs.back().set_requires_grad(true);
      }
      const Tensor y = c.op(inputs);
      y.backward(to_tensor(random_array(y.shape(), 99)));
      std::vector<Tensor> results{y.detach()};
      for (const Tensor& input : inputs) results.push_back(input.grad());
      if (first.empty()) first = results;
      for (std::size_t i = 0; i < results.size(); ++i) {
        expect_same_bits(results[i], first[i],
                         std::to_string(threads) + " threads, result " + std::to_string(i));
      }
    }
  }
  set_num_threads(before);
}

}  // namespace
}  // namespace hanok::testing
