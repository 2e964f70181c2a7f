// How a fold's images are cut into steps, and the baseline's shuffled labels.
#include "hanok/apps/training/samples/fold_samples.h"

#include <algorithm>
#include <gmock/gmock.h>

#include "tests/apps/fold.h"

namespace hanok::test {
namespace {

using training::FoldSamples;

class Samples : public FoldTest {
 protected:
  static std::vector<std::int64_t> labels(const FoldSamples& samples,
                                          const std::vector<std::int64_t>& images) {
    std::vector<std::int64_t> result;
    for (const std::int64_t i : images) {
      result.push_back(samples.dataset.samples[static_cast<std::size_t>(i)].label);
    }
    return result;
  }
};

TEST_F(Samples, AreCutIntoSteps) {
  options_.batch_size = 4;
  const FoldSamples samples(job());
  EXPECT_EQ(samples.training.size(), 18U);
  EXPECT_EQ(samples.classes(), 3);
  EXPECT_EQ(samples.steps_per_epoch, 5);  // the last one of two images
  EXPECT_EQ(samples.images_per_epoch, 18);
  EXPECT_EQ(samples.total_steps, 10);
  EXPECT_FALSE(samples.drop_last);
}

TEST_F(Samples, ALastBatchOfOneImageIsLeftOut) {
  options_.batch_size = 17;
  const FoldSamples samples(job());
  EXPECT_TRUE(samples.drop_last);
  EXPECT_EQ(samples.steps_per_epoch, 1);
  EXPECT_EQ(samples.images_per_epoch, 17);
}

TEST_F(Samples, MaxStepsLimitsTheWhole) {
  options_.max_steps = 4;
  EXPECT_EQ(FoldSamples(job()).total_steps, 4);
}

TEST_F(Samples, ShuffledLabelsAreThoseOfTheTrainingImagesInAnotherOrder) {
  training::FoldJob shuffled{.options = options_,
                             .data = data(),
                             .reporter = reporter_,
                             .labels = training::TrainingLabels::Shuffled};
  const FoldSamples plain(job());
  const FoldSamples baseline(shuffled);
  std::vector<std::int64_t> before = labels(plain, plain.training);
  std::vector<std::int64_t> after = labels(baseline, baseline.training);
  EXPECT_EQ(labels(baseline, baseline.validation), labels(plain, plain.validation));
  EXPECT_EQ(labels(FoldSamples(shuffled), plain.training), after);
  EXPECT_NE(after, before);
  EXPECT_THAT(after, ::testing::UnorderedElementsAreArray(before));
}

}  // namespace
}  // namespace hanok::test
