// Batch norm.
#include <cmath>

#include "hanok/engine/transaction.h"
#include "tests/engine/references.h"

namespace hanok::testing {
namespace {

constexpr double kEpsilon = 1e-5;

// Both ranks; channel tails; one pixel an image; a batch of one.
const Shape kShapes[] = {{5, 3}, {7, 17}, {2, 3, 4, 5}, {1, 8, 3, 3}, {4, 5, 1, 1}, {3, 33, 2, 1}};

// Normalising divides by the standard deviation, gradients subtract their mean: some digits go.
constexpr Tolerance kTolerance{3e-6, 1e-5};

ops::BatchNormState state_of(std::int64_t channels) {
  ops::BatchNormState state;
  state.running_mean = to_tensor(random_array({channels}, 901));
  state.running_var = to_tensor(random_array({channels}, 902, 0.5, 2));
  state.num_batches_tracked = new_zeros({}, DType::I64);
  return state;
}

Moments moments_of(const ops::BatchNormState& state) {
  return {to_array(state.running_mean).values, to_array(state.running_var).values};
}

TEST(BatchNorm, TrainingMatchesReference) {
  std::uint32_t seed = 0;
  for (const Shape& shape : kShapes) {
    const std::int64_t channels = shape[1];
    const Array x = random_array(shape, ++seed, -1, 3);
    check_op(
        "training " + shape.to_string(),
        [&](const auto& in) {
          ops::BatchNormState state = state_of(channels);
          state.weight = in[1];
          state.bias = in[2];
          return ops::batch_norm(in[0], state);
        },
        [](const auto& in) {
          return reference_normalise(in[0], reference_moments(in[0]), kEpsilon, &in[1], &in[2]);
        },
        {x, random_array({channels}, ++seed), random_array({channels}, ++seed)}, kTolerance);
    check_op(
        "training without weight and bias " + shape.to_string(),
        [&](const auto& in) { return ops::batch_norm(in[0], {}); },
        [](const auto& in) {
          return reference_normalise(in[0], reference_moments(in[0]), kEpsilon, nullptr, nullptr);
        },
        {x}, kTolerance);
  }
}

TEST(BatchNorm, EvaluationUsesTheRunningStatistics) {
  std::uint32_t seed = 50;
  for (const Shape& shape : kShapes) {
    const std::int64_t channels = shape[1];
    check_op(
        "evaluation " + shape.to_string(),
        [&](const auto& in) {
          ops::BatchNormState state = state_of(channels);
          state.weight = in[1];
          state.bias = in[2];
          state.training = false;
          return ops::batch_norm(in[0], state);
        },
        [&](const auto& in) {
          return reference_normalise(in[0], moments_of(state_of(channels)), kEpsilon, &in[1],
                                     &in[2]);
        },
        {random_array(shape, ++seed, -1, 3), random_array({channels}, ++seed),
         random_array({channels}, ++seed)},
        kTolerance);
  }
}

TEST(BatchNorm, WithoutRunningStatisticsEvaluationUsesTheBatch) {
  const Array x = random_array({3, 4, 2, 2}, 70);
  ops::BatchNormState state;
  state.training = false;
  expect_close(ops::batch_norm(to_tensor(x), state),
               reference_normalise(x, reference_moments(x), kEpsilon, nullptr, nullptr), 3e-6,
               "evaluation");
}

TEST(BatchNorm, AFarMeanCostsNoPrecision) {
  // A one-pass sum of squares would lose everything: 1000^2 has an f32 spacing of 0.06.
  const Array x = random_array({4, 3, 5, 5}, 71, 1000, 1001);
  expect_close(ops::batch_norm(to_tensor(x), {}),
               reference_normalise(x, reference_moments(x), kEpsilon, nullptr, nullptr), 2e-4,
               "far mean");
}

/// What PyTorch documents: running = (1 - m) running + m batch, with the unbiased variance.
void expect_running(const ops::BatchNormState& state, const ops::BatchNormState& before,
                    const Array& x, double m, double expected_count) {
  const Moments batch = reference_moments(x);
  const double rows = static_cast<double>(x.values.size()) / static_cast<double>(x.size(1));
  Array mean = to_array(before.running_mean);
  Array var = to_array(before.running_var);
  for (std::size_t c = 0; c < mean.values.size(); ++c) {
    mean.values[c] = (1 - m) * mean.values[c] + m * batch.mean[c];
    var.values[c] = (1 - m) * var.values[c] + m * batch.var[c] * rows / (rows - 1);
  }
  expect_close(state.running_mean, mean, 1e-6, "running_mean");
  expect_close(state.running_var, var, 1e-6, "running_var");
  EXPECT_EQ(state.num_batches_tracked.item(), expected_count);
}

TEST(BatchNorm, RunningStatisticsMoveByTheMomentum) {
  const Array x = random_array({4, 3, 3, 2}, 72, 0, 5);
  ops::BatchNormState state = state_of(3);
  const ops::BatchNormState before = state_of(3);
  state.momentum = 0.3;
  ops::batch_norm(to_tensor(x), state);
  expect_running(state, before, x, 0.3, 1);
}

TEST(BatchNorm, NegativeMomentumIsACumulativeAverage) {
  ops::BatchNormState state = state_of(3);
  state.momentum = -1;
  const Array first = random_array({4, 3, 3, 2}, 73, 0, 5);
  const Array second = random_array({4, 3, 3, 2}, 74, 0, 5);
  ops::batch_norm(to_tensor(first), state);
  expect_running(state, state_of(3), first, 1, 1);
  const ops::BatchNormState before{
      {}, {}, state.running_mean.clone(), state.running_var.clone(), {}, true, -1, kEpsilon};
  ops::batch_norm(to_tensor(second), state);
  expect_running(state, before, second, 0.5, 2);
}

TEST(BatchNorm, RunningStatisticsChangeOnlyAtCommit) {
  const Array x = random_array({4, 3, 3, 2}, 75);
  const Array second = random_array({4, 3, 3, 2}, 76);
  ops::BatchNormState state = state_of(3);
  StepTransaction step;
  ops::batch_norm(to_tensor(x), state);
  step.rollback();  // a step that ran out of memory
  ops::batch_norm(to_tensor(x), state);
  ops::batch_norm(to_tensor(second), state);  // the second micro-batch
  expect_same_bits(state.running_mean, state_of(3).running_mean, "before commit");
  expect_same_bits(state.running_var, state_of(3).running_var, "before commit");
  EXPECT_EQ(state.num_batches_tracked.item(), 0);
  step.commit();

  // As outside a transaction, where each forward pass moves them at once.
  Array mean = to_array(state_of(3).running_mean);
  for (const Array* batch : {&x, &second}) {
    const Moments moments = reference_moments(*batch);
    for (std::size_t c = 0; c < 3; ++c) mean.values[c] += 0.1 * (moments.mean[c] - mean.values[c]);
  }
  expect_close(state.running_mean, mean, 1e-6, "after commit");
  EXPECT_EQ(state.num_batches_tracked.item(), 2);
}

TEST(BatchNorm, TakesSequencesAsImagesOfOneColumn) {
  const Array x = random_array({4, 3, 5}, 78), weight = random_array({3}, 79);
  for (const bool training : {true, false}) {
    ops::BatchNormState of_sequence = state_of(3), of_image = state_of(3);
    of_sequence.training = of_image.training = training;
    of_sequence.weight = to_tensor(weight).set_requires_grad(true);
    of_image.weight = to_tensor(weight).set_requires_grad(true);
    Tensor sequence = to_tensor(x).set_requires_grad(true);
    Tensor image = ops::reshape(sequence.detach(), {4, 3, 5, 1}).clone().set_requires_grad(true);
    const Tensor y = ops::batch_norm(sequence, of_sequence);
    const Tensor z = ops::batch_norm(image, of_image);
    EXPECT_EQ(y.shape(), (Shape{4, 3, 5}));
    EXPECT_EQ(y.to_vector(), z.to_vector());
    const Array dy = random_array({4, 3, 5}, 80);
    y.backward(to_tensor(dy));
    z.backward(ops::reshape(to_tensor(dy), {4, 3, 5, 1}));
    EXPECT_EQ(sequence.grad().to_vector(), image.grad().to_vector());
    expect_same_bits(of_sequence.weight.grad(), of_image.weight.grad(), "weight");
    expect_same_bits(of_sequence.running_var, of_image.running_var, "running_var");
  }
}

TEST(BatchNorm, EvaluationLeavesTheStatisticsAlone) {
  ops::BatchNormState state = state_of(3);
  state.training = false;
  ops::batch_norm(to_tensor(random_array({4, 3, 3, 2}, 77)), state);
  expect_same_bits(state.running_mean, state_of(3).running_mean, "running_mean");
  EXPECT_EQ(state.num_batches_tracked.item(), 0);
}

TEST(BatchNorm, ErrorsNameTheOpAndAllShapes) {
  const Tensor x = new_zeros({2, 3, 4, 4});
  EXPECT_EQ(message_of<ShapeError>([&] {
              ops::batch_norm(new_zeros({3, 2, 2, 2, 2}), {});
            }),
            "batch_norm: expected an input [N,C], [N,C,L] or [N,C,H,W] (input [3,2,2,2,2])");
  EXPECT_EQ(message_of<ShapeError>([&] {
              ops::BatchNormState state;
              state.weight = new_ones({4});
              ops::batch_norm(x, state);
            }),
            "batch_norm: weight must be [3], one value a channel (input [2,3,4,4], weight [4])");
  EXPECT_EQ(message_of<ValueError>([&] {
              ops::batch_norm(new_zeros({1, 3}), {});
            }),
            "batch_norm: training needs more than 1 value a channel (input [1,3])");
  EXPECT_EQ(message_of<ValueError>([&] {
              ops::BatchNormState state;
              state.running_mean = new_zeros({3});
              ops::batch_norm(x, state);
            }),
            "batch_norm: running_mean and running_var come together (input [2,3,4,4], "
            "running_mean [3])");
}

}  // namespace
}  // namespace hanok::testing
