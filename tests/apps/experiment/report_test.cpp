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
              ContainsRegex("truth . prediction +0 +1 +2\n 0 class0 +[0-4] +[0-4] +[0-4]\n"));
}

TEST(Report, NamesTheFilesWhereTheMatrixIsTooWideToRead) {
  const std::string report = report_on(20);
  EXPECT_THAT(report, Not(HasSubstr("truth \\ prediction")));
  EXPECT_THAT(report, HasSubstr("classes most often taken for others"));
  EXPECT_THAT(report, ContainsRegex("every class: .*/run/per_class.csv"));
  EXPECT_THAT(report, ContainsRegex("every count: .*/run/confusion_matrix.csv"));
}

TEST(Report, StaysReadableWithManyClasses) {
  const TemporaryFolder folder;
  draw_photos(folder / "photos", {.classes = 110, .members = 2, .size = 16});
  const std::vector<std::string> arguments = {
      "--data", folder / "photos", "--model", "lenet",   "--weights", "none",      "--image-size",
      "16",     "--epochs",        "1",       "--folds", "2",         "--sampler", "over",
      "--out",  folder / "run"};
  const Outcome dry = finetune(arguments + std::vector<std::string>{"--dry-run"});
  EXPECT_EQ(dry.exit_code, 0) << dry.output;
  EXPECT_THAT(dry.output, HasSubstr("... and 90 classes with as many or more"));
  const Outcome trained = finetune(arguments);
  ASSERT_EQ(trained.exit_code, 0) << trained.output;
  EXPECT_THAT(trained.output, HasSubstr("the 20 lowest F1 of 110 classes"));
  EXPECT_LT(lines_of(trained.output).size(), 250U);
  for (const std::string& line : lines_of(trained.output)) EXPECT_LE(line.size(), 220U) << line;

  const nlohmann::json summary = read_json(folder / "run/summary.json");
  EXPECT_LT(lines_of(read_text(folder / "run/summary.json")).size(), 400U);
  EXPECT_EQ(summary.at("confusion_matrix_file"), "confusion_matrix.csv");
  EXPECT_EQ(summary.at("per_class_file"), "per_class.csv");
  const auto matrix = read_plain_csv(folder / "run/confusion_matrix.csv");
  ASSERT_EQ(matrix.size(), 111U);
  int images = 0;
  for (std::size_t t = 1; t < matrix.size(); ++t) {
    ASSERT_EQ(matrix[t].size(), 111U);
    for (std::size_t p = 1; p < matrix[t].size(); ++p) images += std::stoi(matrix[t][p]);
  }
  EXPECT_EQ(images, 220);
  EXPECT_EQ(read_plain_csv(folder / "run/per_class.csv").size(), 111U);
  // A fold that is done is read again, not trained again.
  const Outcome resumed = finetune({"--resume", folder / "run"});
  EXPECT_EQ(resumed.exit_code, 0) << resumed.output;
  EXPECT_EQ(read_json(folder / "run/summary.json").at("worst_pairs"), summary.at("worst_pairs"));

  const Outcome scored = run_program(
      "evaluate",
      {"--run", folder / "run", "--data", folder / "photos", "--out", folder / "scores.json"});
  EXPECT_EQ(scored.exit_code, 0) << scored.output;
  for (const std::string& line : lines_of(scored.output)) EXPECT_LE(line.size(), 200U) << line;
  EXPECT_LT(lines_of(scored.output).size(), 80U);
  EXPECT_EQ(read_json(folder / "scores.json").at("confusion_matrix_file"),
            folder / "scores_confusion_matrix.csv");
  EXPECT_EQ(read_plain_csv(folder / "scores_confusion_matrix.csv").size(), 111U);
  EXPECT_EQ(read_plain_csv(folder / "scores_per_class.csv").size(), 111U);
}

}  // namespace
}  // namespace hanok::test
