// In Precision::Int16 the CPU keeps a convolution's output in bf16 for the backward pass, and
// recomputes what follows from it.
#include <cmath>
#include <cstddef>
#include <vector>

#include "hanok/engine/allocator.h"
#include "hanok/engine/generator.h"
#include "hanok/engine/precision.h"
#include "hanok/engine/storage.h"
#include "tests/engine/op_check.h"

namespace hanok::testing {
namespace {

constexpr std::int64_t kImages = 4, kChannels = 32, kSize = 12;
const Shape kMap{kImages, kChannels, kSize, kSize};

/// The image, then blocks of two convolutions and the sum with what the block began with.
class Blocks {
 public:
  explicit Blocks(std::size_t blocks) {
    Generator generator(5);
    x = random_normal(kMap, 0, 1, generator);
    for (std::size_t i = 0; i < 2 * blocks; ++i) {
      weights.push_back(random_normal({kChannels, kChannels, 3, 3}, 0, 0.1F, generator));
      gammas.push_back(random_normal({kChannels}, 1, 0.2F, generator));
      betas.push_back(random_normal({kChannels}, 0, 0.5F, generator));
    }
    for (std::vector<Tensor>* tensors : {&weights, &gammas, &betas}) {
      for (Tensor& tensor : *tensors) tensor.set_requires_grad(true);
    }
  }

  /// Every block's output, in order; `inner` gets those of the convolutions between.
  std::vector<Tensor> forward(std::vector<Tensor>& inner) const {
    std::vector<Tensor> outputs;
    for (std::size_t i = 0; i < weights.size(); i += 2) {
      const Tensor& before = outputs.empty() ? x : outputs.back();
      inner.push_back(layer(i, before, {}));
      outputs.push_back(layer(i + 1, inner.back(), before));
    }
    return outputs;
  }

  std::vector<Tensor> gradients() const {
    std::vector<Tensor> all;
    for (const std::vector<Tensor>* tensors : {&weights, &gammas, &betas}) {
      for (const Tensor& tensor : *tensors) all.push_back(tensor.grad());
    }
    return all;
  }

  Tensor x;
  std::vector<Tensor> weights, gammas, betas;

 private:
  Tensor layer(std::size_t i, const Tensor& input, const Tensor& residual) const {
    ops::BatchNormState state;
    state.weight = gammas[i];
    state.bias = betas[i];
    state.training = true;
    return ops::conv_bn_act(input, {weights[i], {}, {.pad_h = 1}, 1}, state, residual);
  }
};

double relative_error(const Tensor& got, const Tensor& want) {
  const std::vector<float> a = got.to_vector();
  const std::vector<float> b = want.to_vector();
  double errors = 0;
  double squares = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    errors += (static_cast<double>(a[i]) - b[i]) * (static_cast<double>(a[i]) - b[i]);
    squares += static_cast<double>(b[i]) * b[i];
  }
  return std::sqrt(errors / squares);
}

TEST(KeptInBf16, OutputsAreRecomputedBitForBit) {
  const PrecisionScope scope(Precision::Int16);
  const Blocks kept(4);
  const Blocks again(4);
  std::vector<Tensor> inner;
  const std::vector<Tensor> outputs = kept.forward(inner);  // alive through the backward pass
  ops::sum(ops::mul(outputs.back(), outputs.back())).backward();

  std::vector<std::weak_ptr<Storage>> inner_storages, output_storages;
  Tensor loss;
  {
    std::vector<Tensor> between;
    const std::vector<Tensor> y = again.forward(between);
    for (const Tensor& tensor : between) inner_storages.emplace_back(tensor.storage());
    for (const Tensor& tensor : y) output_storages.emplace_back(tensor.storage());
    loss = ops::sum(ops::mul(y.back(), y.back()));
  }
  for (const auto& storage : inner_storages) EXPECT_TRUE(storage.expired());
  // Two outputs in a row are recomputed; the next one is kept, so that chains stay short.
  EXPECT_TRUE(output_storages[0].expired());
  EXPECT_TRUE(output_storages[1].expired());
  EXPECT_FALSE(output_storages[2].expired());
  loss.backward();
  const std::vector<Tensor> want = kept.gradients();
  const std::vector<Tensor> got = again.gradients();
  for (std::size_t i = 0; i < want.size(); ++i) {
    expect_same_bits(got[i], want[i], "gradient " + std::to_string(i));
  }
}

// Rounding moves few values across zero, but each of them opens or closes a gate: of a share p of
// flipped gates the gradient's error is about the root of p.
TEST(KeptInBf16, ChangesGradientsByLessThanATenth) {
  const Blocks floats(2);
  const Blocks halves(2);
  for (const Blocks* blocks : {&floats, &halves}) {
    const PrecisionScope scope(blocks == &floats ? Precision::F32 : Precision::Int16);
    std::vector<Tensor> inner;
    const Tensor y = blocks->forward(inner).back();
    Generator generator(9);
    y.backward(random_normal(kMap, 0, 1, generator));
  }
  const std::vector<Tensor> want = floats.gradients();
  const std::vector<Tensor> got = halves.gradients();
  for (std::size_t i = 0; i < want.size(); ++i) {
    const double error = relative_error(got[i], want[i]);
    EXPECT_GT(error, 0) << i;
    EXPECT_LT(error, 0.1) << i;
  }
}

// With a gradient of ones dbeta counts the outputs that ReLU let pass: it must be the gate of the
// forward pass, whatever the rounding of z did to its sign.
TEST(KeptInBf16, TheGateIsThatOfTheForwardPass) {
  const PrecisionScope scope(Precision::Int16);
  const Blocks blocks(1);
  std::vector<Tensor> inner;
  const Tensor y = blocks.forward(inner).back();
  const std::vector<float> values = y.to_vector();
  y.backward(Tensor::ones(kMap));
  const std::vector<float> dbeta = blocks.betas[1].grad().to_vector();
  constexpr std::int64_t kPixels = kSize * kSize;
  for (std::int64_t c = 0; c < kChannels; ++c) {
    float passed = 0;
    for (std::int64_t n = 0; n < kImages; ++n) {
      for (std::int64_t pixel = 0; pixel < kPixels; ++pixel) {
        if (values[static_cast<std::size_t>((n * kChannels + c) * kPixels + pixel)] > 0) ++passed;
      }
    }
    EXPECT_EQ(dbeta[static_cast<std::size_t>(c)], passed) << c;
  }
}

/// Convolution, batch norm, ReLU and pooling of 9 images, then a convolution that reads the result.
struct Stem {
  Stem() {
    Generator generator(6);
    x = random_normal({9, 3, 32, 32}, 0, 1, generator);
    for (const Shape& shape : {Shape{32, 3, 7, 7}, Shape{32}, Shape{32}, Shape{32, 32, 3, 3}}) {
      trained.push_back(random_normal(shape, 0, 0.3F, generator));
      trained.back().set_requires_grad(true);
    }
  }
  Tensor pooled() const {
    ops::BatchNormState state;
    state.weight = trained[1];
    state.bias = trained[2];
    state.training = true;
    return ops::conv_bn_relu_max_pool2d(x, {trained[0], {}, {.stride_h = 2, .pad_h = 3}, 1}, state,
                                        3, 3, {.stride_h = 2, .pad_h = 1});
  }
  Tensor loss(const Tensor& y) const {
    const Tensor z = ops::conv2d(y, trained[3]);
    return ops::sum(ops::mul(z, z));
  }

  Tensor x;
  std::vector<Tensor> trained;  // weight, gamma, beta, the next convolution's weight
};

TEST(KeptInBf16, APooledStemIsRecomputedBitForBit) {
  const PrecisionScope scope(Precision::Int16);
  const Stem kept;
  const Stem again;
  const Tensor y = kept.pooled();
  kept.loss(y).backward();
  std::weak_ptr<Storage> storage;
  Tensor loss;
  {
    const Tensor pooled = again.pooled();
    storage = pooled.storage();
    loss = again.loss(pooled);
  }
  EXPECT_TRUE(storage.expired());
  loss.backward();
  for (std::size_t i = 0; i < kept.trained.size(); ++i) {
    expect_same_bits(again.trained[i].grad(), kept.trained[i].grad(),
                     "gradient " + std::to_string(i));
  }
}

// z is computed again in the backward pass: with the forward pass's bits, or the weights' gradients
// would differ from those of a z that was kept.
TEST(KeptInBf16, OfAPooledStemNoMoreThanTheMaxima) {
  const PrecisionScope scope(Precision::Int16);
  const Stem fused;
  const Stem composed;
  fused.loss(fused.pooled());  // threads keep a little scratch memory from the first call on
  const std::size_t before = allocator_of(Device::cpu()).statistics().in_use;
  {
    const Tensor loss = fused.loss(fused.pooled());
    const std::size_t kept = allocator_of(Device::cpu()).statistics().in_use - before;
    constexpr std::size_t kOutputs = 9 * 32 * 8 * 8, kSquares = 9 * 32 * 6 * 6;
    // Maxima in bf16 and their numbers in a byte; the next convolution's output and its square.
    EXPECT_LT(kept, 3 * kOutputs + 2 * 4 * kSquares + 8192);
    loss.backward();
  }
  ops::BatchNormState state;
  state.weight = composed.trained[1];
  state.bias = composed.trained[2];
  state.training = true;
  const Tensor y = ops::conv_bn_act(
      composed.x, {composed.trained[0], {}, {.stride_h = 2, .pad_h = 3}, 1}, state);
  composed.loss(ops::max_pool2d(y, 3, 3, {.stride_h = 2, .pad_h = 1})).backward();
  for (std::size_t i = 0; i < fused.trained.size(); ++i) {
    EXPECT_LT(relative_error(fused.trained[i].grad(), composed.trained[i].grad()), 1e-6) << i;
  }
}

// A dilated window may see no z at all: such a stem keeps all of it.
TEST(KeptInBf16, ADilatedPoolingIsRecomputedFromAllOfZ) {
  const PrecisionScope scope(Precision::Int16);
  const Stem stem;
  ops::BatchNormState state;
  state.weight = stem.trained[1];
  state.bias = stem.trained[2];
  state.training = true;
  const Tensor y =
      ops::conv_bn_relu_max_pool2d(stem.x, {stem.trained[0], {}, {.stride_h = 2, .pad_h = 3}, 1},
                                   state, 3, 3, {.stride_h = 2, .pad_h = 1, .dilation_h = 2});
  ops::sum(ops::mul(y, y)).backward();
  EXPECT_TRUE(stem.trained[0].grad().defined());
}

// Where the images need a gradient, too, that of the stem's output is made for all of them at once.
TEST(KeptInBf16, TheStemsGradientInPartsIsThatOfAllImages) {
  const PrecisionScope scope(Precision::Int16);
  const Stem parts;
  Stem whole;
  whole.x.set_requires_grad(true);
  for (const Stem* stem : {&parts, static_cast<const Stem*>(&whole)}) {
    stem->loss(stem->pooled()).backward();
  }
  EXPECT_LT(relative_error(parts.trained[0].grad(), whole.trained[0].grad()), 1e-5);
  for (const std::size_t i : {1, 2, 3}) {
    expect_same_bits(parts.trained[i].grad(), whole.trained[i].grad(),
                     "gradient " + std::to_string(i));
  }
}

// Without recording, and by running statistics, nothing is kept and nothing is rounded to bf16.
TEST(KeptInBf16, OnlyWhereABackwardPassWillReadIt) {
  const PrecisionScope scope(Precision::Int16);
  Blocks blocks(1);
  std::vector<Tensor> inner;
  const Tensor recorded = blocks.forward(inner).back().detach();
  const NoGrad no_grad;
  const Tensor plain = blocks.forward(inner).back();
  const double error = relative_error(recorded, plain);
  EXPECT_GT(error, 1e-4);
  EXPECT_LT(error, 5e-3);
}

}  // namespace
}  // namespace hanok::testing
