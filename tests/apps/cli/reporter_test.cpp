// What library code says goes to the reporter that it was given, and nowhere else.
#include "hanok/apps/cli/reporter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <new>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/cli/progress.h"
#include "hanok/apps/conversion/convert_command.h"
#include "hanok/apps/experiment/finetune_command.h"
#include "hanok/apps/inspection/inspect_command.h"
#include "hanok/apps/prediction/evaluate_command.h"
#include "hanok/apps/prediction/predict_command.h"
#include "tests/apps/program.h"
#include "tests/support/recording_reporter.h"

namespace hanok::training {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST(Reporter, WarningsAreLines) {
  test::RecordingReporter reporter;
  reporter.warn("the sky is low");
  EXPECT_EQ(reporter.text, "warning: the sky is low\n");
}

TEST(Progress, CountsUnitsAndThoseOfTheWholeJob) {
  test::RecordingReporter reporter;
  {
    Progress progress(reporter, {.label = "reading", .total = 10});
    progress.advance(4);
    progress.advance(3, 100);
  }
  ASSERT_THAT(reporter.progress, SizeIs(2));
  EXPECT_EQ(reporter.progress[0].label, "reading");
  EXPECT_EQ(reporter.progress[0].unit, "images");
  EXPECT_EQ(reporter.progress[0].done, 4);
  EXPECT_EQ(reporter.progress[1].done, 7);
  EXPECT_EQ(reporter.progress[1].total, 10);
  const double left = reporter.progress[1].seconds_left * reporter.progress[1].per_second;
  EXPECT_NEAR(left, 103, 0.01);  // 10 - 7 of this loop and 100 after it
}

TEST(Failures, HaveExitCodesByKind) {
  const auto code_of = [](const auto& error) {
    try {
      throw error;
    } catch (...) {
      return current_failure().exit_code;
    }
  };
  EXPECT_EQ(code_of(UsageError("usage")), kUsage);
  EXPECT_EQ(code_of(NonFiniteLoss("loss")), kNonFinite);
  EXPECT_EQ(code_of(std::bad_alloc()), kFailure);
  EXPECT_EQ(code_of(FormatError("file")), kFailure);
}

class Commands : public ::testing::Test {
 protected:
  /// What a command reports for these arguments; nothing of it reaches standard output.
  template <typename Command>
  std::string said(Command command, std::vector<const char*> arguments) {
    test::RecordingReporter reporter;
    arguments.insert(arguments.begin(), "program");
    ::testing::internal::CaptureStdout();
    const int code = command(
        {.count = static_cast<int>(arguments.size()), .values = arguments.data()}, reporter);
    EXPECT_THAT(::testing::internal::GetCapturedStdout(), IsEmpty());
    EXPECT_EQ(code, kSuccess);
    return reporter.text;
  }
};

TEST_F(Commands, SayToTheReporterWhatTheUserRequests) {
  EXPECT_THAT(said(finetune_command, {"--help"}), HasSubstr("--batch-size"));
  EXPECT_THAT(said(finetune_command, {"--print-config"}), HasSubstr("batch-size = 32"));
  EXPECT_THAT(said(predict_command, {"--man"}), HasSubstr(".TH PREDICT"));
  EXPECT_THAT(said(evaluate_command, {"--completion", "bash"}), HasSubstr("COMPREPLY"));
  EXPECT_THAT(said(convert_command, {"--list"}), HasSubstr("resnet18"));
  EXPECT_THAT(said(inspection::inspect_command, {"transforms"}), HasSubstr("probability"));
  EXPECT_THAT(said(inspection::inspect_command, {"model", "lenet", "--image-size", "32"}),
              HasSubstr("forward trace"));
}

TEST_F(Commands, RunAWholeTrainingThroughTheReporter) {
  const test::TemporaryFolder folder;
  const std::string photos = test::draw_photos(folder / "photos");
  const std::string out = folder / "run";
  const std::string text = said(finetune_command, {"--data",       photos.c_str(),
                                                   "--model",      "lenet",
                                                   "--weights",    "none",
                                                   "--image-size", "32",
                                                   "--epochs",     "1",
                                                   "--folds",      "2",
                                                   "--log-steps",  "1",
                                                   "--threads",    "1",
                                                   "--fold",       "0",
                                                   "--out",        out.c_str()});
  for (const char* part : {"folder layout, 36 images", "lenet, finetune mode", "epoch 1/1",
                           "  step 1  loss", "tensors took", "mean", "run folder: "}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
}

}  // namespace
}  // namespace hanok::training
