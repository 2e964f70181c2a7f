// A captured graph repeats the captured calls on the current content of the captured addresses.
#include <gtest/gtest.h>
#include <memory>
#include <optional>

#include "hanok/engine/allocator.h"
#include "hanok/engine/generator.h"
#include "hanok/engine/ops.h"
#include "hanok/engine/recording.h"
#include "hanok/engine/runtime.h"
#include "hanok/engine/transaction.h"
#include "hanok/kernels/base/error.h"
#include "hanok/kernels/cuda_runtime.h"
#include "hanok/nn/activations.h"
#include "hanok/nn/containers.h"
#include "hanok/nn/ema.h"
#include "hanok/nn/gradients.h"
#include "hanok/nn/layers.h"
#include "hanok/nn/models/small.h"
#include "hanok/nn/optim.h"
#include "tests/kernels/kernel_context.h"

namespace hanok::nn {
namespace {

const Device kDevice = Device::cuda(0);

struct Results {
  std::vector<float> loss;
  std::vector<std::vector<float>> gradients;
};

Tensor forward_and_backward(Module& model, const Tensor& images, const Tensor& targets) {
  const Tensor loss = ops::cross_entropy(model(images), targets);
  loss.backward();
  return loss.detach();
}

Results results_of(Module& model, const Tensor& loss) {
  Results results{loss.to_vector(), {}};
  for (const Tensor& p : model.parameters()) results.gradients.push_back(p.grad().to_vector());
  return results;
}

class Capture : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(cuda, nullptr);
    try {
      cuda->devices();
    } catch (const DeviceError& error) {
      GTEST_SKIP() << error.what();
    }
  }
  CudaRuntime* cuda = cuda_runtime();
};

TEST_F(Capture, AReplayGivesTheBitsOfTheEagerCalls) {
  LeNet model(10, 1, 28);
  model.to(kDevice);
  const auto images_of = [](std::uint64_t seed) {
    return Tensor::from_vector(test::test_data(4 * 28 * 28, seed), {4, 1, 28, 28}).to(kDevice);
  };
  const Tensor targets =
      Tensor::from_vector(std::vector<std::int64_t>{3, 1, 4, 1}, {4}).to(kDevice);
  const Tensor other_images = images_of(2);
  const Results expected = results_of(model, forward_and_backward(model, other_images, targets));

  Tensor images = images_of(1);
  MemoryPool pool(allocator_of(kDevice));
  std::unique_ptr<Workspace> workspace = make_workspace(kDevice);
  std::unique_ptr<CudaGraph> graph;
  Tensor loss;
  model.zero_grad();
  {
    const MemoryPool::Scope from_pool(pool);
    const OwnWorkspace own(kDevice, *workspace);
    cuda->begin_capture(kDevice.index);
    loss = forward_and_backward(model, images, targets);
    graph = cuda->end_capture(kDevice.index);
  }
  // New allocations must not overlap memory that the graph writes, including scratch.
  context_of(kDevice).workspace.release_all();
  std::vector<Tensor> bystanders;
  for (int i = 0; i < 64; ++i) {
    bystanders.push_back(Tensor::full({1 << 14}, i, {DType::F32, kDevice}));
  }
  for (int replay = 0; replay < 2; ++replay) {
    images.copy_from(replay == 0 ? images_of(3) : other_images);
    graph->replay();
  }
  const Results found = results_of(model, loss);
  EXPECT_EQ(found.loss, expected.loss);
  EXPECT_EQ(found.gradients, expected.gradients);
  for (std::size_t i = 0; i < bystanders.size(); ++i) {
    EXPECT_EQ(bystanders[i].to_vector(), std::vector<float>(1 << 14, static_cast<float>(i)));
  }
}

// ---- whole steps ----

using MakeOptimizer = std::unique_ptr<Optimizer> (*)(std::vector<ParameterGroup>);

/// A network with everything that changes from step to step: batch statistics, dropout, rates,
/// moments, step counts, moving averages, a denominator; and clipping.
struct Training {
  Sequential model;
  std::unique_ptr<Optimizer> optimizer;
  std::unique_ptr<Ema> ema;
  Tensor images = Tensor::empty({4, 3, 8, 8}, {DType::F32, kDevice});
  Tensor targets = Tensor::empty({4}, {DType::I64, kDevice});
  Tensor denominator = Tensor::empty({}, {DType::F32, kDevice});
  Tensor loss;

  explicit Training(MakeOptimizer make) {
    Generator::global().set_seed(7);
    Conv2dOptions convolution;
    convolution.in_channels = 3;
    convolution.out_channels = 8;
    convolution.kernel_h = convolution.kernel_w = 3;
    model.append(std::make_unique<Conv2d>(convolution));
    model.append(std::make_unique<BatchNorm2d>(8));
    model.append(std::make_unique<ReLU>());
    model.append(std::make_unique<Flatten>());
    model.append(std::make_unique<Dropout>(0.5F));
    model.append(std::make_unique<Linear>(8 * 36, 5));
    model.to(kDevice);
    model.train();
    const auto parameters = model.parameters();
    const auto middle = parameters.begin() + 3;
    optimizer =
        make({{"first", {parameters.begin(), middle}, 0.02}, {"rest", {middle, parameters.end()}}});
    ema = std::make_unique<Ema>(model, 0.9);
  }

  void begin(std::int64_t step) {
    Generator::global().begin_step(2, step);
    optimizer->set_learning_rate(1, 0.05 / static_cast<double>(step + 1));
    images.copy_from(Tensor::from_vector(
        test::test_data(4 * 3 * 64, static_cast<std::uint64_t>(step)), {4, 3, 8, 8}));
    targets.copy_from(
        Tensor::from_vector(std::vector<std::int64_t>{step % 5, 1, (step + 2) % 5, 4}, {4}));
    denominator.copy_from(Tensor::full({}, 2.5 + static_cast<double>(step)));
  }
  /// The work that is recorded, or run op by op.
  void device_work() {
    StepTransaction transaction;
    optimizer->zero_grad();
    ops::CrossEntropyOptions options;
    options.reduction = ops::Reduction::Sum;
    loss = ops::div(ops::cross_entropy(model(images), targets, options), denominator);
    loss.backward();
    loss = loss.detach();
    clip_gradient_norm(model.parameters(), 0.5);
    optimizer->prepare_step();
    if (!Recording::under_way()) optimizer->write_rates();
    optimizer->enqueue_step();
    transaction.commit();
    ema->update();
  }
  std::vector<std::vector<float>> values() {
    std::vector<std::vector<float>> result{loss.to_vector()};
    for (const auto& [name, value] : model.state_dict()) result.push_back(value.to_vector());
    const State optimizer_state = optimizer->state(), averages = ema->state();
    for (const auto& [name, value] : optimizer_state.tensors) result.push_back(value.to_vector());
    for (const auto& [name, value] : averages.tensors) result.push_back(value.to_vector());
    return result;
  }
};

void expect_recorded_steps_equal_eager_ones(MakeOptimizer make) {
  constexpr std::int64_t kSteps = 5;
  std::vector<std::vector<std::vector<float>>> expected;
  State expected_state;
  {
    Training eager(make);
    for (std::int64_t step = 0; step < kSteps; ++step) {
      eager.begin(step);
      eager.device_work();
      eager.optimizer->count_step();
      expected.push_back(eager.values());
    }
    expected_state = eager.optimizer->state();
  }
  Training training(make);
  std::optional<Recording> recording;
  for (std::int64_t step = 0; step < kSteps; ++step) {
    training.begin(step);
    if (step == 0) {
      training.device_work();
    } else {
      if (step == 1) recording.emplace(kDevice, [&] { training.device_work(); });
      training.optimizer->write_rates();
      recording->replay();
    }
    training.optimizer->count_step();
    EXPECT_EQ(training.values(), expected[static_cast<std::size_t>(step)]) << "step " << step;
  }
  EXPECT_EQ(training.optimizer->state().integers, expected_state.integers);
  EXPECT_EQ(training.optimizer->state().numbers, expected_state.numbers);
}

TEST_F(Capture, RecordedStepsOfSgdGiveTheBitsOfEagerOnes) {
  expect_recorded_steps_equal_eager_ones([](std::vector<ParameterGroup> groups) {
    return make_sgd(std::move(groups), {.momentum = 0.9, .nesterov = true});
  });
}
TEST_F(Capture, RecordedStepsOfAdamWGiveTheBitsOfEagerOnes) {
  expect_recorded_steps_equal_eager_ones(
      [](std::vector<ParameterGroup> groups) { return make_adamw(std::move(groups), {}); });
}
TEST_F(Capture, RecordedStepsOfRmsPropGiveTheBitsOfEagerOnes) {
  expect_recorded_steps_equal_eager_ones([](std::vector<ParameterGroup> groups) {
    return make_rmsprop(std::move(groups), {.momentum = 0.5});
  });
}

TEST_F(Capture, AStepThatWouldMakeMomentsIsNotRecorded) {
  Training training(
      [](std::vector<ParameterGroup> groups) { return make_adamw(std::move(groups), {}); });
  training.begin(0);
  EXPECT_THROW(Recording(kDevice, [&] { training.device_work(); }), ValueError);
  EXPECT_FALSE(Recording::under_way());
  training.device_work();  // the device is unchanged
  training.optimizer->count_step();
  EXPECT_EQ(training.optimizer->steps(), 1);
}

TEST_F(Capture, WaitingForTheDeviceIsNotRecordedAndSaysSo) {
  const Tensor x = Tensor::ones({3}, {DType::F32, kDevice});
  try {
    const Recording recording(kDevice, [&] { (x + x).to_vector(); });
    FAIL() << "it was recorded";
  } catch (const DeviceError& error) {
    EXPECT_NE(std::string(error.what()).find("captur"), std::string::npos) << error.what();
  }
  EXPECT_EQ((x + x).to_vector(), (std::vector<float>{2, 2, 2}));
  EXPECT_NO_THROW(Recording(kDevice, [&] { ops::relu(x); }));
}

}  // namespace
}  // namespace hanok::nn
