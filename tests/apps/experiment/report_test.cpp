// What finetune prints when all folds are done.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/apps/program.h"

namespace hanok::test {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

std::string report_on(int classes) {
  const TemporaryFolder folder;
  PhotoOptions photos;
  photos.classes = classes;
  photos.members = 4;
  draw_photos(folder / "photos", photos);
  const Outcome outcome =
      finetune({"--data", folder / "photos", "--model", "lenet", "--weights", "none",
                "--image-size", "32", "--epochs", "1", "--folds", "2", "--out", folder / "run"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  return outcome.output;
}

TEST(Report, ShowsWhichClassWasTakenForWhich) {
  EXPECT_THAT(report_on(3),
              ContainsRegex("truth . answer +0 +1 +2\n 0 class0 +[0-4] +[0-4] +[0-4]\n"));
}

TEST(Report, NamesTheFileWhereTheMatrixIsTooWideToRead) {
  const std::string report = report_on(20);
  EXPECT_THAT(report, Not(HasSubstr("truth")));
  EXPECT_THAT(report, HasSubstr("confusion_matrix in"));
  EXPECT_THAT(report, HasSubstr("summary.json"));
}

}  // namespace
}  // namespace hanok::test
