// Features that are kept by number, in memory or in a file.
#include "hanok/apps/training/features/feature_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hanok/kernels/base/error.h"
#include "tests/support/recording_reporter.h"

namespace hanok::training {
namespace {

using ::testing::HasSubstr;

class FeatureStores : public ::testing::Test {
 protected:
  /// Features [2, 3, 4] of two images.
  static Tensor features(float first) {
    std::vector<float> values;
    for (int i = 0; i < 24; ++i) values.push_back(first + static_cast<float>(i));
    return Tensor::from_vector(values, {2, 3, 4});
  }
  test::RecordingReporter reporter_;
};

TEST_F(FeatureStores, GiveBackWhatWasAddedInAnyOrder) {
  for (const std::int64_t budget : {0, 1 << 20}) {
    FeatureStore store(
        reporter_,
        {.keys = 10, .capacity = 4, .budget = budget, .spill_folder = ::testing::TempDir()});
    EXPECT_EQ(store.describe(), "nothing yet");
    EXPECT_FALSE(store.holds(7));
    store.add(features(0), {7, 2});
    store.add(features(100), {9, 0});
    store.flush();
    EXPECT_TRUE(store.holds(7));
    EXPECT_FALSE(store.holds(1));
    const Tensor found = store.get({0, 7, 2});
    EXPECT_EQ(found.shape(), (Shape{3, 3, 4}));
    const std::vector<float> values = found.to_vector();
    EXPECT_EQ(values[0], 112);
    EXPECT_EQ(values[12], 0);
    EXPECT_EQ(values[24], 12);
    EXPECT_THAT(store.describe(), HasSubstr("KiB in memory"));
    store.clear();
    EXPECT_FALSE(store.holds(7));
  }
  EXPECT_EQ(reporter_.text, "");
}

TEST_F(FeatureStores, WithoutRoomKeepNothingAndReportItOnce) {
  FeatureStore store(
      reporter_,
      {.keys = 10, .capacity = std::int64_t{1} << 50, .spill_folder = ::testing::TempDir()});
  store.add(features(0), {0, 1});
  EXPECT_TRUE(store.out_of_room());
  EXPECT_FALSE(store.holds(0));
  EXPECT_THAT(reporter_.text, HasSubstr("features are not cached: "));
  const std::string once = reporter_.text;
  store.add(features(0), {2, 3});
  EXPECT_EQ(reporter_.text, once);
}

TEST_F(FeatureStores, ThrowWithoutRoomIfTheyAreRequired) {
  FeatureStore store(reporter_, {.keys = 10,
                                 .capacity = std::int64_t{1} << 50,
                                 .spill_folder = ::testing::TempDir(),
                                 .required = true});
  EXPECT_THROW(store.add(features(0), {0, 1}), IoError);
}

}  // namespace
}  // namespace hanok::training
