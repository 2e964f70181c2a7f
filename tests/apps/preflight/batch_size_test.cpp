// --batch-size auto: what is chosen is recorded, and a repetition of the run takes it.
#include <algorithm>
#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <regex>

#include "tests/apps/program.h"

namespace hanok::test {
namespace {

using ::testing::HasSubstr;
using Arguments = std::vector<std::string>;

class BatchSize : public ::testing::Test {
 protected:
  BatchSize() {
    PhotoOptions photos;
    photos.members = 120;  // of each of 3 classes
    draw_photos(folder_ / "photos", photos);
  }

  Arguments command(const std::string& batch_size) const {
    return {"--data",       folder_ / "photos",
            "--layout",     "folder",
            "--model",      "resnet18",
            "--weights",    "none",
            "--folds",      "2",
            "--fold",       "0",
            "--max-steps",  "2",
            "--image-size", "32",
            "--batch-size", batch_size};
  }

  /// The size that the program says it takes.
  static std::string taken(const std::string& output) {
    std::smatch match;
    return std::regex_search(output, match, std::regex("batch size ([0-9]+) is taken"))
               ? match[1]
               : std::string();
  }

  TemporaryFolder folder_;
};

TEST_F(BatchSize, AutoIsMeasuredAndRecorded) {
  const std::string run = folder_ / "run";
  const Outcome outcome = finetune(command("auto") + Arguments{"--out", run});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  // 180 training images: an epoch has 10 steps of 16, not of 32.
  EXPECT_THAT(outcome.output, HasSubstr("batch size 8: "));
  EXPECT_THAT(outcome.output, HasSubstr("batch size 16: "));
  EXPECT_THAT(outcome.output, Not(HasSubstr("batch size 32: ")));
  const std::string size = taken(outcome.output);
  EXPECT_THAT(size, ::testing::AnyOf("8", "16"));
  EXPECT_THAT(read_text(run + "/config.toml"), HasSubstr("\nbatch-size = " + size + "\n"));

  const Outcome again = finetune({"--config", run + "/config.toml", "--out", folder_ / "again"});
  ASSERT_EQ(again.exit_code, 0) << again.output;
  EXPECT_EQ(read_text(run + "/fold_0/best.safetensors"),
            read_text(folder_ / "again/fold_0/best.safetensors"));
}

TEST_F(BatchSize, AutoTakesNoBatchThatWouldHaveToBeCut) {
  // Parameters, gradients, moments and best weights take 225 MiB; a batch of 16 more than is left.
  Arguments tight =
      command("auto") + Arguments{"--memory", "300M", "--threads", "1", "--out", folder_ / "tight"};
  *(std::find(tight.begin(), tight.end(), "--image-size") + 1) = "128";
  const Outcome outcome = finetune(tight);
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("batch size 16: more than the memory holds"));
  EXPECT_EQ(taken(outcome.output), "8");
}

TEST_F(BatchSize, OtherTextsAreRefused) {
  const Outcome outcome = finetune(command("most") + Arguments{"--out", folder_ / "run"});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.output,
              HasSubstr("--batch-size: expects a whole number or auto, got \"most\""));
}

TEST_F(BatchSize, ThePlanUsesIt) {
  const Outcome outcome = finetune(command("auto") + Arguments{"--plan"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("resnet18, batch " + taken(outcome.output) + ","));
}

}  // namespace
}  // namespace hanok::test
