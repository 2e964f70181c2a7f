// Batches computed in slices that meet at their batch norms, beside the whole batch; on one rank
// and on several, which are threads.
#include "hanok/engine/sliced_batch.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <vector>

#include "hanok/engine/autograd.h"
#include "hanok/engine/generator.h"
#include "hanok/engine/ops.h"
#include "hanok/engine/runtime.h"
#include "hanok/engine/transaction.h"
#include "hanok/kernels/base/error.h"
#include "hanok/nn/gradient_reduction.h"
#include "hanok/nn/layers.h"
#include "hanok/nn/models/registry.h"

namespace hanok::test {
namespace {

constexpr std::int64_t kImages = 12;
constexpr std::int64_t kSize = 32;

struct Result {
  double loss = 0;
  std::vector<std::vector<float>> gradients{}, state{};
};

std::unique_ptr<nn::Module> network(const std::string& name) {
  Generator::global().set_seed(3);
  Generator::global().begin_step(0, 0);
  return nn::make_model(name, 5);
}

Tensor images(std::int64_t count) {
  Generator generator(11);
  return random_normal({count, 3, kSize, kSize}, 0, 1, generator);
}

Tensor labels(std::int64_t count) {
  std::vector<std::int64_t> values;
  for (std::int64_t i = 0; i < count; ++i) values.push_back(i * 7 % 5);
  return Tensor::from_vector(values, {count});
}

Tensor loss_of(nn::Module& model, const Tensor& x, const Tensor& y, std::int64_t of) {
  ops::CrossEntropyOptions options;
  options.denominator = static_cast<double>(of);
  return ops::cross_entropy(model(x), y, options);
}

void collect(nn::Module& model, Result& result) {
  for (const Tensor& parameter : model.parameters()) {
    result.gradients.push_back(parameter.grad().to_vector());
  }
  for (const nn::NamedTensor& buffer : model.named_buffers()) {
    if (buffer.tensor.dtype() == DType::F32) result.state.push_back(buffer.tensor.to_vector());
  }
}

/// Every value of `images` is off by `off` of it.
Result whole(const std::string& name, std::int64_t count = kImages, float off = 0) {
  const NominalBatch nominal(kImages);
  const std::unique_ptr<nn::Module> model = network(name);
  model->train();
  Generator::global().begin_step(1, 2);
  StepTransaction transaction;
  const Tensor loss = loss_of(*model, ops::affine(images(count), 1 + off, 0), labels(count), count);
  loss.backward();
  transaction.commit();
  Result result{.loss = loss.item()};
  collect(*model, result);
  return result;
}

Result sliced(const std::string& name, std::int64_t slices, std::int64_t count = kImages) {
  const NominalBatch nominal(kImages);
  const std::unique_ptr<nn::Module> model = network(name);
  model->train();
  Generator::global().begin_step(1, 2);
  const std::unique_ptr<Communicator> alone = single_rank();
  StepTransaction transaction;
  SlicedBatch batch(*alone, slices, count);
  nn::GradientReduction reduction(model->parameters(), *alone, batch);
  Result result;
  const Tensor x = images(count);
  const Tensor y = labels(count);
  batch.run([&](const SlicedBatch::Slice& slice) {
    const LeafGradients::Scope scope(reduction);
    const Tensor loss = loss_of(*model, ops::slice(x, 0, slice.begin, slice.end),
                                ops::slice(y, 0, slice.begin, slice.end), count);
    std::vector<double> sum{loss.item()};
    batch.sum(sum);
    result.loss = sum[0];
    loss.backward();
  });
  reduction.finish();
  transaction.commit();
  collect(*model, result);
  return result;
}

/// L2 distance of all values over the L2 norm of the expected ones.
double distance(const std::vector<std::vector<float>>& expected,
                const std::vector<std::vector<float>>& found) {
  double apart = 0;
  double norm = 0;
  EXPECT_EQ(expected.size(), found.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(expected[i].size(), found[i].size());
    for (std::size_t j = 0; j < expected[i].size(); ++j) {
      apart += std::pow(double{expected[i][j]} - found[i][j], 2);
      norm += std::pow(double{expected[i][j]}, 2);
    }
  }
  return std::sqrt(apart / norm);
}

class Networks : public ::testing::TestWithParam<const char*> {};

/// A kink that a value passes by rounding (ReLU, max pooling) changes gradients by more than
/// rounding: so they are measured against those of images that are off by rounding.
double rounding_of(const std::string& name, std::int64_t count) {
  const Result expected = whole(name, count);
  double rounding = 0;
  for (const float off : {1e-6F, -1e-6F, 3e-6F}) {
    const Result other = whole(name, count, off);
    rounding = std::max(rounding, distance(expected.gradients, other.gradients));
  }
  return rounding;
}

TEST_P(Networks, SlicesGiveTheWholeBatchToRounding) {
  const Result expected = whole(GetParam());
  const double rounding = rounding_of(GetParam(), kImages);
  for (const std::int64_t slices : {1, 2, 4, 8}) {
    const Result found = sliced(GetParam(), slices);
    EXPECT_NEAR(found.loss, expected.loss, 1e-5 * expected.loss) << slices;
    EXPECT_LT(distance(expected.gradients, found.gradients), 2 * rounding + 1e-6)
        << slices << " slices, rounding " << rounding;
    EXPECT_LT(distance(expected.state, found.state), 1e-6) << slices;
  }
}

INSTANTIATE_TEST_SUITE_P(SlicedBatch, Networks,
                         ::testing::Values("resnet18", "mobilenet_v2", "efficientnet_b0"));

TEST(SlicedBatch, GivesTheSameBitsEveryTime) {
  const Result first = sliced("resnet18", 4);
  const Result second = sliced("resnet18", 4);
  EXPECT_EQ(first.loss, second.loss);
  EXPECT_EQ(first.gradients, second.gradients);
  EXPECT_EQ(first.state, second.state);
}

TEST(SlicedBatch, SlicesMayBeEmpty) {
  const Result expected = whole("resnet18", 3);
  const Result found = sliced("resnet18", 8, 3);
  EXPECT_NEAR(found.loss, expected.loss, 1e-4);
  EXPECT_LT(distance(expected.gradients, found.gradients), 2 * rounding_of("resnet18", 3));
}

TEST(SlicedBatch, AFailingSliceEndsTheOthers) {
  const std::unique_ptr<Communicator> alone = single_rank();
  SlicedBatch batch(*alone, 4, kImages);
  int ended = 0;
  EXPECT_THROW(batch.run([&](const SlicedBatch::Slice& slice) {
    std::vector<double> one{1};
    batch.sum(one);
    EXPECT_EQ(one[0], 4);
    if (slice.index == 1) throw FormatError("broken");
    batch.sum(one);
    ++ended;
  }),
               FormatError);
  EXPECT_EQ(ended, 0);
  batch.run([&](const SlicedBatch::Slice&) { ++ended; });  // it can be used again
  EXPECT_EQ(ended, 4);
}

TEST(SlicedBatch, RefusesSlicesThatDoNotFitTheRanks) {
  EXPECT_NO_THROW(SlicedBatch::check(8, 2));
  EXPECT_NO_THROW(SlicedBatch::check(6, 3));
  EXPECT_THROW(SlicedBatch::check(6, 2), ValueError);
  EXPECT_THROW(SlicedBatch::check(2, 4), ValueError);
  EXPECT_THROW(SlicedBatch::check(0, 1), ValueError);
}

}  // namespace
}  // namespace hanok::test
