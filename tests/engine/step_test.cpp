// A training step of a small convolutional net: what a frozen part costs, and the same bits for any
// number of threads.
#include <algorithm>

#include "hanok/engine/allocator.h"
#include "hanok/engine/runtime.h"
#include "hanok/engine/transaction.h"
#include "tests/engine/kernel_counter.h"
#include "tests/engine/op_check.h"

namespace hanok::testing {
namespace {

constexpr Window2d kSame{1, 1, 1, 1, 1, 1};
constexpr std::int64_t kBatch = 4;
constexpr std::int64_t kChannels = 16;
constexpr std::int64_t kSize = 20;

struct Block {
  Tensor weight;
  ops::BatchNormState bn;

  Block(std::int64_t in, std::uint32_t seed)
      : weight(to_tensor(random_array({kChannels, in, 3, 3}, seed, -0.3, 0.3))) {
    bn.weight = to_tensor(random_array({kChannels}, seed + 1, 0.5, 1.5));
    bn.bias = to_tensor(random_array({kChannels}, seed + 2));
    bn.running_mean = Tensor::zeros({kChannels});
    bn.running_var = Tensor::ones({kChannels});
    bn.num_batches_tracked = Tensor::zeros({}, {DType::I64});
  }
  void train(bool value) {
    for (Tensor* t : {&weight, &bn.weight, &bn.bias}) t->set_requires_grad(value);
    bn.training = value;
  }
  Tensor forward(const Tensor& x, const Tensor& residual = {}) const {
    return ops::conv_bn_act(x, {weight, {}, kSame, 1}, bn, residual);
  }
};

/// conv-bn-relu, max-pool, a residual block, average pool, linear.
struct Net {
  Block stem{3, 10}, first{kChannels, 20}, second{kChannels, 30};
  Tensor head = to_tensor(random_array({5, kChannels}, 40));
  Tensor images = to_tensor(random_array({kBatch, 3, kSize, kSize}, 50));
  Tensor labels = Tensor::from_vector(std::vector<std::int64_t>{0, 4, 2, 1}, {kBatch});

  void train(bool backbone) {
    for (Block* block : {&stem, &first, &second}) block->train(backbone);
    head.set_requires_grad(true);
  }
  Tensor features() const {
    const Tensor x = ops::max_pool2d(stem.forward(images), 3, 3, {2, 2, 1, 1, 1, 1});
    const Tensor y = second.forward(first.forward(x), x);
    return ops::flatten(ops::adaptive_avg_pool2d(y, 1, 1), 1);
  }
  Tensor loss() const { return ops::cross_entropy(ops::linear(features(), head), labels); }
  std::vector<Tensor> parameters() const {
    std::vector<Tensor> all{head};
    for (const Block* block : {&stem, &first, &second}) {
      all.insert(all.end(), {block->weight, block->bn.weight, block->bn.bias});
    }
    return all;
  }
};

std::size_t bytes_in_use() { return allocator_of(Device::cpu()).statistics().in_use; }

TEST(Step, AFrozenBackboneCostsItsForwardPassOnly) {
  Net net;
  net.train(false);
  net.loss();  // packs the frozen weights, fills the workspace
  const KernelCounter calls;
  const std::size_t before = bytes_in_use();
  const Tensor loss = net.loss();
  EXPECT_EQ(calls["conv2d_forward"], 3);
  EXPECT_EQ(calls["conv2d_pack"], 0) << "packed at the first pass";
  EXPECT_EQ(calls["batch_norm_statistics"], 0);
  EXPECT_EQ(calls["batch_norm_apply"], 0) << "batch norm is folded into the convolution";
  // Alive: features, logits, losses, weights, the divisor; no feature map (one is 102,400 bytes).
  EXPECT_LE(bytes_in_use() - before, 2048U);
  EXPECT_EQ(graph_to_dot(loss).find("conv_bn_act"), std::string::npos);

  const int forward_gemms = calls["gemm"];
  loss.backward();
  EXPECT_EQ(calls["gemm"], forward_gemms + 1) << "the head's weight gradient";
  for (const char* name :
       {"conv2d_backward_data", "conv2d_backward_weights", "batch_norm_backward",
        "max_pool2d_backward", "adaptive_avg_pool2d_backward", "strided_copy", "sum_rows"}) {
    // The step's only copy spreads the loss's gradient over the samples.
    EXPECT_LE(calls[name], std::string(name) == "strided_copy" ? 1 : 0) << name;
  }
  for (const Tensor& parameter : net.parameters()) {
    EXPECT_EQ(parameter.grad().defined(), parameter.id() == net.head.id());
  }
}

TEST(Step, BackwardStopsAtTheFirstTrainedLayer) {
  Net net;
  net.train(false);
  net.second.weight.set_requires_grad(true);  // its batch norm stays frozen
  const KernelCounter calls;
  net.loss().backward();
  EXPECT_EQ(calls["conv2d_backward_weights"], 1);
  EXPECT_EQ(calls["conv2d_backward_data"], 0);
  EXPECT_EQ(calls["batch_norm_statistics"], 0);
  EXPECT_EQ(calls["batch_norm_apply"], 0);
  EXPECT_EQ(calls["max_pool2d_backward"], 0);
}

// Of the first block's output only the convolution's is kept: the second's weight gradient has
// batch norm and ReLU applied to it again.
TEST(Step, ATrainedNetRunsEachKernelOnceAndOneBatchNormAgain) {
  Net net;
  net.train(true);
  const KernelCounter calls;
  const Tensor loss = net.loss();
  EXPECT_EQ(calls["conv2d_forward"], 3);
  EXPECT_EQ(calls["batch_norm_statistics"], 0) << "the convolution's epilogue gives them";
  EXPECT_EQ(calls["batch_norm_apply"], 3);
  loss.backward();
  EXPECT_EQ(calls["batch_norm_apply"], 4);
  EXPECT_EQ(calls["batch_norm_backward"], 3);
  EXPECT_EQ(calls["conv2d_backward_weights"], 3);
  EXPECT_EQ(calls["conv2d_backward_data"], 2) << "the images need no gradient";
  EXPECT_EQ(calls["max_pool2d_backward"], 1);
}

TEST(Step, NothingStaysAliveAfterwards) {
  Net net;
  net.train(true);
  net.loss().backward();
  const std::size_t with_gradients = bytes_in_use();
  for (int i = 0; i < 3; ++i) {
    for (Tensor parameter : net.parameters()) parameter.zero_grad();
    net.loss().backward();
    EXPECT_EQ(bytes_in_use(), with_gradients);
  }
}

TEST(Step, AGraphThatNeverRanBackLeavesNothingEither) {
  Net net;
  net.train(true);
  net.loss();
  const std::size_t before = bytes_in_use();
  for (int i = 0; i < 3; ++i) {
    net.loss();
    EXPECT_EQ(bytes_in_use(), before);
  }
}

TEST(Step, GradientsHaveTheSameBitsForAnyNumberOfThreads) {
  const int threads_before = num_threads();
  std::vector<std::vector<Tensor>> results;
  for (const int threads : {1, 2, 3, 7}) {
    set_num_threads(threads);
    Net net;
    net.train(true);
    const Tensor loss = net.loss();
    loss.backward();
    std::vector<Tensor> values{loss.detach()};
    for (const Tensor& parameter : net.parameters()) values.push_back(parameter.grad());
    for (const Block* block : {&net.stem, &net.first, &net.second}) {
      values.insert(values.end(), {block->bn.running_mean, block->bn.running_var});
    }
    results.push_back(std::move(values));
  }
  set_num_threads(threads_before);
  for (std::size_t run = 1; run < results.size(); ++run) {
    for (std::size_t i = 0; i < results[0].size(); ++i) {
      expect_same_bits(results[run][i], results[0][i],
                       "run " + std::to_string(run) + ", value " + std::to_string(i));
    }
  }
}

TEST(Step, AStepThatRanOutOfMemoryCanBeRedone) {
  Allocator& allocator = allocator_of(Device::cpu());
  Net expected;
  expected.train(true);
  {
    StepTransaction step;
    expected.loss().backward();
    step.commit();
  }

  Net net;
  net.train(true);
  allocator.release_cached();
  const std::size_t budget = allocator.statistics().budget;
  // Room for the stem (two maps of 102,400 bytes): the failure comes after a batch norm has run.
  allocator.set_budget(bytes_in_use() + 250000);
  StepTransaction step;
  EXPECT_THROW(net.loss().backward(), OutOfMemory);
  allocator.set_budget(budget);
  step.rollback();
  for (Tensor parameter : net.parameters()) parameter.zero_grad();
  for (const float mean : net.stem.bn.running_mean.to_vector()) ASSERT_EQ(mean, 0.0F);

  net.loss().backward();
  step.commit();
  for (std::size_t i = 0; i < net.parameters().size(); ++i) {
    expect_same_bits(net.parameters()[i].grad(), expected.parameters()[i].grad(),
                     "gradient " + std::to_string(i));
  }
  expect_same_bits(net.stem.bn.running_mean, expected.stem.bn.running_mean, "running_mean");
  expect_same_bits(net.second.bn.running_var, expected.second.bn.running_var, "running_var");
}

}  // namespace
}  // namespace hanok::testing
