// The model of a step on several ranks, against sums made by hand.
#include "hanok/apps/preflight/scaling.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hanok/apps/preflight/scaling_text.h"
#include "hanok/apps/preflight/step_work.h"
#include "hanok/kernels/base/error.h"
#include "hanok/nn/models/registry.h"
#include "tests/apps/program.h"

namespace hanok::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using training::Cost;
using training::Exchange;
using training::Link;
using training::ScalingLimit;
using training::ScalingPoint;
using training::StepTime;
using training::StepWork;

constexpr double kNear = 1e-12;

/// Three layers of a megabyte of gradients each, 1 s forward and 2 s backward for 10 images, and a
/// batch norm of 8 channels in the middle.
StepWork three_layers() {
  const Cost forward{.per_image = 0.1};
  const Cost backward{.per_image = 0.2};
  return {
      .layers =
          {{.name = "a", .forward = forward, .backward = backward, .gradient_bytes = 1'000'000},
           {.name = "b",
            .forward = forward,
            .backward = backward,
            .gradient_bytes = 1'000'000,
            .batch_norm_channels = 8},
           {.name = "c", .forward = forward, .backward = backward, .gradient_bytes = 1'000'000}},
      .other = {.fixed = 0.5},
      .batch_size = 10};
}

constexpr Exchange kEachLayer{.bucket_bytes = 1'000'000};

TEST(AllReduce, CountsMessagesAndBytes) {
  const Link link{.latency_s = 0.01, .bytes_per_s = 1e6};
  EXPECT_EQ(training::all_reduce_seconds(1e6, 1, link), 0);
  EXPECT_NEAR(training::all_reduce_seconds(1e6, 2, link), 2 * 0.01 + 1, kNear);
  EXPECT_NEAR(training::all_reduce_seconds(1e6, 8, link), 6 * 0.01 + 1.75, kNear);
  EXPECT_NEAR(training::all_reduce_seconds(1000, 8, link), 3 * (0.01 + 0.001), kNear);
  EXPECT_NEAR(training::all_reduce_seconds(1e6, 6, link), 3 * 0.01 + 5, kNear);
}

TEST(PredictStep, OfOneRankIsItsComputing) {
  const Link slow{.latency_s = 1, .bytes_per_s = 1};
  const StepTime step = training::predict_step(three_layers(), 10, 1, slow);
  EXPECT_NEAR(step.seconds, 3 + 6 + 0.5, kNear);
  EXPECT_NEAR(step.compute, step.seconds, kNear);
  EXPECT_EQ(step.gradients, 0);
}

TEST(PredictStep, HidesBucketsBehindTheRestOfBackward) {
  // A bucket takes half a second: those of c and b end before a's layer does, a's stays.
  const Link link{.bytes_per_s = 2e6};
  const StepTime step = training::predict_step(three_layers(), 10, 2, link, kEachLayer);
  const double statistics = (2 * 8 + 1 + 2 * 8) * 8 / 2e6;
  EXPECT_NEAR(step.batch_norm, statistics, kNear);
  EXPECT_NEAR(step.gradients, 0.5, kNear);
  EXPECT_NEAR(step.seconds, 9.5 + 0.5 + statistics + step.loss, kNear);
  EXPECT_NEAR(step.sending, 1.5, kNear);
  EXPECT_NEAR(step.last_bucket, 0.5, kNear);
}

TEST(PredictStep, BucketsFollowOneAnother) {
  // A bucket takes 4 s: c's begins at the end of its layer, two layers of 2 s before the end.
  const Link link{.bytes_per_s = 0.25e6};
  const Exchange exchange{.bucket_bytes = 1'000'000, .synchronised_batch_norm = false};
  const StepTime step = training::predict_step(three_layers(), 10, 2, link, exchange);
  EXPECT_NEAR(step.gradients, 3 * 4 - 4, kNear);
  EXPECT_EQ(step.batch_norm, 0);
  const Exchange one{.synchronised_batch_norm = false};  // all in one bucket, after backward
  EXPECT_NEAR(training::predict_step(three_layers(), 10, 2, link, one).gradients, 12, kNear);
  const Exchange halved{
      .bucket_bytes = 500'000, .gradient_scale = 0.5, .synchronised_batch_norm = false};
  EXPECT_NEAR(training::predict_step(three_layers(), 10, 2, link, halved).gradients, 2, kNear);
}

TEST(PredictStep, HidesNothingWhereTheOnlyCoreCopies) {
  const Link link{.bytes_per_s = 2e6, .busy_cores = 1};
  StepWork work = three_layers();
  EXPECT_NEAR(training::predict_step(work, 10, 2, link, kEachLayer).gradients, 1.5, 1e-3);
  work.threads = 2;  // half the speed for a second, and nothing beside the last half second
  EXPECT_NEAR(training::predict_step(work, 10, 2, link, kEachLayer).gradients, 1, 1e-3);
}

TEST(PredictStep, SendsTheGradientsOfEveryPart) {
  StepWork work = three_layers();
  work.parts = 2;
  const Link link{.bytes_per_s = 2e6};
  const StepTime step = training::predict_step(work, 10, 2, link, kEachLayer);
  EXPECT_NEAR(step.compute, 9.5, kNear);
  EXPECT_NEAR(step.gradients, 2 * 0.5, kNear);
}

TEST(PredictStep, RefusesWhatIsNone) {
  const StepWork work = three_layers();
  EXPECT_THROW(training::predict_step(work, 10, 0, {.bytes_per_s = 1}), ValueError);
  EXPECT_THROW(training::predict_step(work, 0, 1, {.bytes_per_s = 1}), ValueError);
  EXPECT_THROW(training::predict_step(work, 10, 2, {}), ValueError);
  EXPECT_THROW(training::strong_scaling(work, 4, 5, {.bytes_per_s = 1}), ValueError);
  EXPECT_THROW(training::sharing_cores(work, 2, 0), ValueError);
}

TEST(Scaling, SaysWhatLimits) {
  StepWork work = three_layers();
  const Link fast{.bytes_per_s = 1e12};
  const ScalingPoint all = training::weak_scaling(work, 4, fast);
  EXPECT_NEAR(all.efficiency, 1, 1e-6);
  EXPECT_NEAR(all.images_per_second, 4 * 10 / 9.5, 1e-3);
  EXPECT_EQ(all.limit, ScalingLimit::Compute);

  EXPECT_EQ(training::weak_scaling(work, 4, {.latency_s = 1, .bytes_per_s = 1e12}).limit,
            ScalingLimit::BatchNormLatency);
  EXPECT_EQ(training::weak_scaling(work, 2, {.bytes_per_s = 0.1e6}, kEachLayer).limit,
            ScalingLimit::GradientBandwidth);
  EXPECT_EQ(training::weak_scaling(work, 2, {.bytes_per_s = 0.6e6}, kEachLayer).limit,
            ScalingLimit::LastBucket);
  const Exchange local{.bucket_bytes = 1'000'000, .synchronised_batch_norm = false};
  EXPECT_EQ(training::weak_scaling(work, 4, {.latency_s = 1.5, .bytes_per_s = 1e12}, local).limit,
            ScalingLimit::BucketLatency);

  work.layers[0].forward.fixed = 4;
  const ScalingPoint shared = training::strong_scaling(work, 10, 5, fast);
  EXPECT_EQ(shared.limit, ScalingLimit::SmallShare);
  EXPECT_EQ(shared.images, 2);
  EXPECT_NEAR(shared.efficiency, (13.5 / 5) / (4 + 0.9 * 2 + 0.5), 1e-6);
  // The largest share counts: 10 images on 4 ranks are 3, 3, 2 and 2.
  EXPECT_EQ(training::strong_scaling(work, 10, 4, fast).images, 3);
}

TEST(Costs, GoThroughTwoMeasurements) {
  const Cost line = training::cost_between(2, 3, 10, 7);
  EXPECT_NEAR(line.fixed, 2, kNear);
  EXPECT_NEAR(line.per_image, 0.5, kNear);
  const Cost above = training::cost_between(2, 1, 10, 7);  // would be negative without images
  EXPECT_NEAR(above.fixed, 0, kNear);
  EXPECT_NEAR(above.of(10), 7, kNear);
  const Cost flat = training::cost_between(2, 8, 10, 7);
  EXPECT_NEAR(flat.per_image, 0, kNear);
  EXPECT_NEAR(flat.of(10), 7, kNear);
}

TEST(MeasuredWork, HasTheLayersOfANetwork) {
  const auto model = nn::make_model("resnet18", 10, 32);
  model->freeze("layer1");
  nn::Module& conv = model->get_submodule("layer2.0.conv1");
  const int unknown = 0;
  using Pass = KernelCall::Pass;
  std::vector<KernelCall> calls;
  const auto add_call = [&calls](const void* layer, Pass pass, double seconds) {
    calls.emplace_back();
    calls.back().layer = layer;
    calls.back().pass = pass;
    calls.back().seconds = seconds;
  };
  add_call(&conv, Pass::Forward, 1);
  add_call(&conv, Pass::Backward, 2);
  add_call(&unknown, Pass::Forward, 3);
  add_call(&conv, Pass::Update, 4);
  const training::RecordedSteps recorded{.steps = 2, .seconds = 20, .images = 5};
  const StepWork work = training::measured_work(*model, calls, recorded);
  std::int64_t bytes = 0;
  std::int64_t norms = 0;
  for (const training::LayerWork& layer : work.layers) {
    EXPECT_NE(layer.name.rfind("layer1", 0), 0U) << layer.name;  // frozen, and took no time
    bytes += layer.gradient_bytes;
    norms += layer.batch_norm_channels > 0 ? 1 : 0;
    const bool timed = layer.name == "layer2.0.conv1";
    EXPECT_NEAR(layer.forward.of(5), timed ? 0.5 : 0, kNear);
    EXPECT_NEAR(layer.backward.of(5), timed ? 1 : 0, kNear);
    if (timed) {
      EXPECT_EQ(layer.gradient_bytes, 4 * 128 * 64 * 9);
    }
  }
  EXPECT_EQ(norms, 16);  // of 20
  std::int64_t trained = 0;
  for (const Tensor& parameter : model->parameters()) {
    if (parameter.requires_grad()) trained += parameter.numel();
  }
  EXPECT_EQ(bytes, 4 * trained);
  EXPECT_NEAR(work.other.of(5), 10 - 1.5, kNear);
  EXPECT_THROW(training::measured_work(*model, calls, {}), ValueError);

  StepWork twice = work;
  twice.batch_size = 10;
  EXPECT_NEAR(training::between(work, twice).other.fixed, 0, kNear);
  twice.layers.pop_back();
  EXPECT_THROW(training::between(work, twice), ValueError);
}

TEST(ScalingText, SaysWhatWouldHaveToChange) {
  EXPECT_THAT(training::rank_counts(12), ElementsAre(1, 2, 4, 8, 12));
  EXPECT_THAT(training::rank_counts(8), ElementsAre(1, 2, 4, 8));
  EXPECT_THAT(training::rank_counts(1), ElementsAre(1));
  const std::string text = training::scaling_text(
      three_layers(), 10, 4,
      {{.name = "string", .bytes_per_s = 1e6}, {.name = "rope", .bytes_per_s = 1e12}});
  EXPECT_THAT(text, HasSubstr("10 images in 9.5000 s (forward 3.0000, backward 6.0000"));
  EXPECT_THAT(text, HasSubstr("3.0 MB of gradients, 1 batch norm."));
  // A bucket of 3 MB: 3 s beside 9.5, 4.5 s on four ranks.
  EXPECT_THAT(text, HasSubstr("string: 76% on 2 ranks (last gradients); there, --batch-size 20 "
                              "brings 86%, gradients in 16 bits bring 86%, --local-batch-norm "
                              "brings 76%.\n"));
  EXPECT_THAT(text, HasSubstr("rope: at least 80% up to 4 ranks.\n"));
}

TEST(ScalingText, ComparesWithWhatWasMeasured) {
  const std::string text = training::compare_with_measured(
      three_layers(), {.bytes_per_s = 1e12},
      {{.ranks = 1, .images = 10, .seconds = 10}, {.ranks = 4, .images = 10, .seconds = 19}}, 2);
  EXPECT_THAT(lines_of(text)[1], HasSubstr("9.5000   -5.0%"));
  EXPECT_THAT(lines_of(text)[2], HasSubstr("19.0000   +0.0%"));  // four threads on two cores
}

}  // namespace
}  // namespace hanok::test
