// Batches computed in parts whose batch norms see all of them, beside the whole batch.
#include "hanok/nn/virtual_batch.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "hanok/engine/allocator.h"
#include "hanok/engine/autograd.h"
#include "hanok/engine/generator.h"
#include "hanok/engine/ops.h"
#include "hanok/engine/precision.h"
#include "hanok/engine/runtime.h"
#include "hanok/engine/transaction.h"
#include "hanok/kernels/base/error.h"
#include "hanok/nn/layers.h"
#include "hanok/nn/models/registry.h"

namespace hanok::test {
namespace {

Tensor noise(const Shape& shape, std::uint64_t seed) {
  Generator generator(seed);
  return random_normal(shape, 0, 1, generator);
}

struct Result {
  Tensor features;
  std::vector<Tensor> gradients;
  std::vector<nn::NamedTensor> state;
  std::size_t peak = 0;
};

std::vector<nn::Block> body_of(nn::Module& model) {
  std::vector<nn::Block> blocks = dynamic_cast<nn::StagedModule&>(model).blocks();
  blocks.pop_back();
  return blocks;
}

/// Forward and backward of all but the last block, in `parts` parts; 0: whole, without any of this.
Result train(nn::Module& model, const Tensor& images, const Tensor& gradient, std::int64_t parts) {
  Allocator& allocator = allocator_of(Device::cpu());
  allocator.reset_peak();
  const std::size_t before = allocator.statistics().in_use;
  Result result;
  StepTransaction transaction;
  if (parts == 0) {
    Tensor y = images;
    for (const nn::Block& block : body_of(model)) y = block(y);
    if (y.requires_grad()) y.backward(gradient);
    result.features = y.detach();
  } else {
    nn::VirtualBatch batch(body_of(model));
    result.features = batch.forward(images, parts);
    if (batch.learns()) batch.backward(gradient);
  }
  result.peak = allocator.statistics().peak - before;
  transaction.commit();
  for (const Tensor& parameter : model.parameters()) result.gradients.push_back(parameter.grad());
  for (const nn::NamedTensor& buffer : model.named_buffers()) {
    result.state.push_back({buffer.name, buffer.tensor.clone()});
  }
  return result;
}

/// |a - b| / |b| in the L2 norm.
double distance(const Tensor& a, const Tensor& b) {
  const std::vector<float> left = a.to_vector();
  const std::vector<float> right = b.to_vector();
  double apart = 0;
  double size = 0;
  for (std::size_t i = 0; i < right.size(); ++i) {
    const double difference = static_cast<double>(left[i]) - right[i];
    apart += difference * difference;
    size += static_cast<double>(right[i]) * right[i];
  }
  return std::sqrt(apart / std::max(size, 1e-30));
}

/// The images of x in reverse order.
Tensor reversed(const Tensor& x) {
  std::vector<Tensor> images;
  for (std::int64_t i = x.size(0); i-- > 0;) images.push_back(ops::slice(x, 0, i, i + 1));
  return ops::concat(images, 0);
}

/// A model, and batches through copies of it.
class Trial {
 public:
  Trial(std::unique_ptr<nn::Module> model, std::int64_t images)
      : model_(std::move(model)),
        images_(noise({images, 3, 64, 64}, 1)),
        gradient_(noise({images, features()}, 3)) {}

  Result run(std::int64_t parts) {
    const NominalBatch nominal(images_.size(0));
    return train(*copy(), images_, gradient_, parts);
  }

  /// In parts as whole, up to what another order of the images changes. `gates`: what a rounded
  /// value that opens or closes a ReLU may change of a gradient.
  void expect_same_in(std::int64_t parts, double gates = 0) {
    SCOPED_TRACE(parts);
    const Result whole = run(0);
    const NominalBatch nominal(images_.size(0));
    Result other_order = train(*copy(), reversed(images_), reversed(gradient_), 0);
    const Result found = run(parts);
    const auto expect_close = [](const Tensor& a, const Tensor& b, const Tensor& other,
                                 const std::string& what, double more = 0) {
      EXPECT_LT(distance(a, b), 1e-4 + more + 5 * distance(other, b)) << what;
    };
    expect_close(found.features, whole.features, reversed(other_order.features), "features");
    for (std::size_t i = 0; i < whole.gradients.size(); ++i) {
      ASSERT_EQ(found.gradients[i].defined(), whole.gradients[i].defined()) << i;
      if (!whole.gradients[i].defined()) continue;
      expect_close(found.gradients[i], whole.gradients[i], other_order.gradients[i],
                   "parameter " + std::to_string(i), gates);
    }
    for (std::size_t i = 0; i < whole.state.size(); ++i) {
      expect_close(found.state[i].tensor, whole.state[i].tensor, other_order.state[i].tensor,
                   whole.state[i].name);
    }
  }

 private:
  std::unique_ptr<nn::Module> copy() const {
    std::unique_ptr<nn::Module> copy = model_->clone();
    copy->train();
    return copy;
  }
  std::int64_t features() const {
    const NoGrad no_grad;
    const std::unique_ptr<nn::Module> model = copy();
    Tensor y = images_;
    for (const nn::Block& block : body_of(*model)) y = block(y);
    return y.size(1);
  }

  std::unique_ptr<nn::Module> model_;
  Tensor images_, gradient_;
};

struct Case {
  const char* model;
  double gates = 0;
};
class VirtualBatch : public ::testing::TestWithParam<Case> {};

TEST_P(VirtualBatch, IsTheWholeBatchToRounding) {
  Trial trial(nn::make_model(GetParam().model, 5), 6);
  for (const std::int64_t parts : {1, 2, 4, 6}) trial.expect_same_in(parts, GetParam().gates);
}

// VGG16 has a million gates in such a batch, and its last layers few pixels: one gate counts.
INSTANTIATE_TEST_SUITE_P(Models, VirtualBatch,
                         ::testing::Values(Case{"resnet18"}, Case{"resnet50"}, Case{"mobilenet_v2"},
                                           Case{"vgg16_bn", 0.05}),
                         [](const auto& info) { return std::string(info.param.model); });

TEST(VirtualBatchOf, FrozenBlocks) {
  std::unique_ptr<nn::Module> model = nn::make_model("resnet18", 5);
  for (const char* name : {"conv1", "bn1", "layer1", "layer2.0"}) model->freeze(name);
  Trial(std::move(model), 6).expect_same_in(3);
}

TEST(VirtualBatchOf, ParametersThatDoNotLearnBesideStatisticsThatDo) {
  const std::unique_ptr<nn::Module> model = nn::make_model("resnet18", 5);
  for (const Tensor& parameter : model->parameters()) Tensor(parameter).set_requires_grad(false);
  for (const Tensor& parameter : model->get_submodule("layer3").parameters()) {
    Tensor(parameter).set_requires_grad(true);
  }
  Trial(model->clone(), 6).expect_same_in(3);
}

TEST(VirtualBatchOf, Integers) {
  Trial trial(nn::make_model("resnet18", 5), 6);
  const PrecisionScope integers(Precision::Int16);
  EXPECT_LT(distance(trial.run(3).features, trial.run(0).features), 0.02);
}

TEST(VirtualBatchOf, NeedsLessMemory) {
  const std::unique_ptr<nn::Module> model = nn::make_model("resnet18", 5);
  const Tensor images = noise({32, 3, 96, 96}, 1);
  const Tensor gradient = noise({32, 512}, 3);
  train(*model, images, gradient, 0);  // what is made once, and the gradients
  const std::size_t whole = train(*model, images, gradient, 0).peak;
  EXPECT_LT(train(*model, images, gradient, 16).peak, whole / 2);
}

TEST(VirtualBatchOf, MorePartsThanImagesAreRefused) {
  nn::VirtualBatch batch({[](const Tensor& x) { return x; }});
  EXPECT_THROW(batch.forward(Tensor::ones({2, 3}), 3), ValueError);
  EXPECT_THROW(batch.forward(Tensor::ones({2, 3}), 0), ValueError);
}

}  // namespace
}  // namespace hanok::test
