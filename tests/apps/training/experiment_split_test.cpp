// Which images a run trains and validates on: its own folds, or the split that the data have.
#include "hanok/apps/training/samples/experiment_split.h"

#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/training/samples/experiment_data.h"
#include "tests/apps/program.h"

namespace hanok::test {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using training::ExperimentData;
using training::FoldCount;
using training::Options;

template <typename E>
std::string message_of(const Options& options) {
  try {
    training::prepare_data(options);
  } catch (const E& error) {
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return {};
}

class ExperimentSplit : public ::testing::Test {
 protected:
  ExperimentSplit() {
    options_.data = folder_ / "photos";
    options_.workers = 1;
  }

  /// Three classes in train (12 images each), val (4) and test (2).
  void draw_splits(const std::string& train, const std::string& val, const std::string& test) {
    draw_photos(folder_ / "photos/" + train, {.members = 12, .seed = 1});
    draw_photos(folder_ / "photos/" + val, {.members = 4, .seed = 2});
    draw_photos(folder_ / "photos/" + test, {.members = 2, .seed = 3});
  }

  TemporaryFolder folder_;
  Options options_;
};

TEST_F(ExperimentSplit, FoldersTrainAndValAreTakenAsTheyAre) {
  draw_splits("train", "Validation", "test");
  const ExperimentData data = training::prepare_data(options_);
  EXPECT_EQ(data.fold_count, 1);
  ASSERT_EQ(data.validation(0).size(), 12U);
  EXPECT_EQ(data.training(0).size(), 36U);
  for (const std::int64_t i : data.validation(0)) {
    EXPECT_EQ(data.dataset.samples[static_cast<std::size_t>(i)].path.rfind("Validation/", 0), 0U);
  }
  const std::string text = describe(data);
  EXPECT_THAT(text, AllOf(HasSubstr("train is trained and Validation validated on"),
                          HasSubstr("evaluate --run RUN --data " + options_.data + "/test"),
                          Not(HasSubstr("warning"))));
  EXPECT_EQ(training::resolved_folds(options_, data.dataset).kind, FoldCount::Kind::Given);
}

TEST_F(ExperimentSplit, OtherSplitsMergeThemAloud) {
  draw_splits("train", "val", "test");
  options_.folds = training::parse_fold_count("3");
  ExperimentData data = training::prepare_data(options_);
  EXPECT_EQ(data.fold_count, 3);
  EXPECT_EQ(data.validation(0).size(), 16U);
  EXPECT_THAT(describe(data), HasSubstr("warning: train and val are merged"));
  options_.folds = {};
  options_.val_fraction = 0.5;
  data = training::prepare_data(options_);
  EXPECT_EQ(data.fold_count, 1);
  EXPECT_EQ(data.validation(0).size(), 24U);
  EXPECT_THAT(describe(data), HasSubstr("are merged"));
  options_.val_fraction = 0;
  options_.repeats = 2;
  EXPECT_EQ(training::prepare_data(options_).fold_count, 10);
}

TEST_F(ExperimentSplit, GivenNeedsTheFolders) {
  draw_photos(options_.data);
  options_.folds = training::parse_fold_count("given");
  EXPECT_THAT(message_of<training::UsageError>(options_), HasSubstr("--folds given"));
  options_.folds = training::parse_fold_count("auto");
  const ExperimentData data = training::prepare_data(options_);
  EXPECT_EQ(data.fold_count, 5);
  EXPECT_EQ(text_of(training::resolved_folds(options_, data.dataset)), "5");
}

TEST_F(ExperimentSplit, AGroupInBothFoldersIsCounted) {
  for (const char* split : {"train", "val"}) {
    draw_photos(folder_ / "photos/" + split, {.classes = 2, .members = 6, .groups = true});
  }
  options_.workers = 1;
  EXPECT_THAT(describe(training::prepare_data(options_)),
              HasSubstr("warning: 6 groups are in both train and val, such as 'p00'"));
  options_.group.kind = training::Grouping::Kind::None;
  EXPECT_THAT(describe(training::prepare_data(options_)), Not(HasSubstr("in both")));
}

TEST_F(ExperimentSplit, GroupsAreAnnounced) {
  draw_photos(options_.data, {.classes = 2, .members = 8, .groups = true});
  options_.folds = training::parse_fold_count("2");
  EXPECT_THAT(
      describe(training::prepare_data(options_)),
      AllOf(HasSubstr("groups: 8 groups of 2 files by file name"),
            HasSubstr("'p00' (class0/p00_0.png, class0/p00_1.png)"), HasSubstr("--group none")));
  options_.group.kind = training::Grouping::Kind::None;
  EXPECT_THAT(describe(training::prepare_data(options_)), Not(HasSubstr("groups:")));
}

TEST_F(ExperimentSplit, AClassWithoutTrainingImagesIsRefusedWithTheCause) {
  draw_photos(options_.data, {.classes = 3, .members = 1});
  options_.folds = training::parse_fold_count("2");
  EXPECT_THAT(message_of<ValueError>(options_),
              AllOf(HasSubstr(options_.data + ": --folds 2: the largest class has only 1 image"),
                    HasSubstr("--val-fraction")));
  draw_photos(options_.data, {.classes = 2, .members = 12});
  EXPECT_THAT(message_of<ValueError>(options_),
              AllOf(HasSubstr("no training image of class 'class2'"),
                    HasSubstr("its only image is validated on"), HasSubstr("--folds")));
  // Held out images may spare it.
  options_.val_fraction = 0.25;
  EXPECT_EQ(training::prepare_data(options_).fold_count, 1);
}

TEST_F(ExperimentSplit, OnlyTheFoldsToTrainMatter) {
  draw_photos(options_.data, {.classes = 2, .members = 12});
  fs::create_directories(options_.data + "/rare");
  fs::rename(options_.data + "/class1/photo00.png", options_.data + "/rare/photo.png");
  options_.folds = training::parse_fold_count("2");
  int refused = 0;
  for (const int fold : {0, 1}) {
    options_.fold = fold;
    try {
      training::prepare_data(options_);
    } catch (const ValueError& error) {
      EXPECT_THAT(error.what(), HasSubstr("'rare'"));
      ++refused;
    }
  }
  EXPECT_EQ(refused, 1);
}

TEST_F(ExperimentSplit, AClassOfOneGroupIsRefusedAndSaysSo) {
  draw_photos(options_.data, {.classes = 2, .members = 6});
  std::string table = "path,label,group\n";
  for (int i = 0; i < 6; ++i) {
    const std::string name = "/photo0" + std::to_string(i) + ".png,";
    table += "class0" + name + "many," + std::to_string(i) + "\n";
    table += "class1" + name + (i < 2 ? "rare,tom\n" : "other," + std::to_string(10 + i) + "\n");
  }
  write_text(options_.data + "/labels.csv", table);
  options_.folds = training::parse_fold_count("2");
  EXPECT_THAT(message_of<ValueError>(options_),
              AllOf(HasSubstr("class 'rare': its 2 images are one group, 'tom', which is never "
                              "divided"),
                    HasSubstr("--group none")));
  options_.group.kind = training::Grouping::Kind::None;
  EXPECT_EQ(training::prepare_data(options_).fold_count, 2);
}

TEST_F(ExperimentSplit, TheCompetitionsClassesMayLackTrainingImages) {
  // 18 classes of 6 people: each is of one person at most.
  ASSERT_EQ(finetune({"--write-synthetic", options_.data, "--people", "6"}).exit_code, 0);
  options_.folds = training::parse_fold_count("2");
  const ExperimentData data = training::prepare_data(options_);
  EXPECT_EQ(data.dataset.layout, "competition");
  EXPECT_EQ(data.fold_count, 2);
}

TEST_F(ExperimentSplit, ARunOfAGivenSplitIsRepeatedAndResumed) {
  draw_splits("train", "val", "test");
  const std::vector<std::string> command = {"--data",       options_.data, "--model",      "lenet",
                                            "--weights",    "none",        "--image-size", "32",
                                            "--batch-size", "8",           "--epochs",     "1"};
  const std::string run = folder_ / "run";
  const Outcome first = finetune(command + std::vector<std::string>{"--out", run});
  ASSERT_EQ(first.exit_code, 0) << first.output;
  EXPECT_THAT(read_text(run + "/config.toml"), HasSubstr("\nfolds = \"given\"\n"));
  EXPECT_EQ(read_json(run + "/summary.json").at("folds").size(), 1U);
  const std::string again = folder_ / "again";
  const Outcome second = finetune({"--config", run + "/config.toml", "--out", again});
  ASSERT_EQ(second.exit_code, 0) << second.output;
  EXPECT_EQ(read_text(run + "/folds.csv"), read_text(again + "/folds.csv"));
  fs::remove(again + "/fold_0/result.json");
  fs::remove(again + "/summary.json");
  const Outcome resumed = finetune({"--resume", again});
  ASSERT_EQ(resumed.exit_code, 0) << resumed.output;
  EXPECT_EQ(read_json(run + "/summary.json").at("weights_hash"),
            read_json(again + "/summary.json").at("weights_hash"));
  const Outcome other =
      finetune(command + std::vector<std::string>{"--fold", "1", "--out", folder_ / "x"});
  EXPECT_EQ(other.exit_code, 2);
  EXPECT_THAT(other.output, HasSubstr("--fold"));
}

TEST_F(ExperimentSplit, EvaluateNamesTheFolderToScore) {
  draw_splits("train", "val", "test");
  const Outcome trained =
      finetune({"--data", options_.data, "--model", "lenet", "--weights", "none", "--image-size",
                "32", "--max-steps", "1", "--out", folder_ / "run"});
  ASSERT_EQ(trained.exit_code, 0) << trained.output;
  const Outcome whole =
      run_program("evaluate", {"--run", folder_ / "run", "--data", options_.data});
  EXPECT_EQ(whole.exit_code, 1);
  EXPECT_THAT(whole.output, HasSubstr("name the one to score: --data " + options_.data + "/test"));
  const Outcome test =
      run_program("evaluate", {"--run", folder_ / "run", "--data", options_.data + "/test"});
  EXPECT_EQ(test.exit_code, 0) << test.output;
  EXPECT_THAT(run_program("inspect", {"data", options_.data}).output,
              HasSubstr("split: train of 36 photographs, val of 12"));
}

TEST_F(ExperimentSplit, TheDataFolderIsFoundThroughALinkAsTheSystemFindsIt) {
  draw_photos(folder_ / "real/photos", {.classes = 2, .members = 4});
  fs::create_directories(folder_ / "real/sub");
  fs::create_directory_symlink(folder_ / "real/sub", folder_ / "link");
  const Outcome outcome = finetune({"--data", folder_ / "link/../photos", "--model", "lenet",
                                    "--weights", "none", "--image-size", "32", "--folds", "2",
                                    "--max-steps", "1", "--out", folder_ / "run"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
}

TEST_F(ExperimentSplit, ARunInTheDataFolderIsNoClass) {
  draw_photos(options_.data, {.classes = 2, .members = 4});
  for (const char* run : {"photos/run1", "photos/run2"}) {
    const Outcome outcome =
        finetune({"--data", options_.data, "--model", "lenet", "--weights", "none", "--image-size",
                  "32", "--folds", "2", "--max-steps", "1", "--out", folder_ / run});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  }
  const Outcome resumed = finetune({"--resume", folder_ / "photos/run1"});
  EXPECT_EQ(resumed.exit_code, 0) << resumed.output;
}

TEST_F(ExperimentSplit, ColumnsOfATableAreNamed) {
  draw_photos(options_.data + "/images", {.classes = 2, .members = 4});
  std::string table = "what;where\n";
  for (int c = 0; c < 2; ++c) {
    for (int i = 0; i < 4; ++i) {
      table += "k" + std::to_string(c) + ";images/class" + std::to_string(c) + "/photo0" +
               std::to_string(i) + "\n";
    }
  }
  write_text(options_.data + "/labels.csv", table);
  const std::vector<std::string> columns = {"--layout",       "csv", "--path-column", "where",
                                            "--label-column", "what"};
  const Outcome outcome =
      finetune(std::vector<std::string>{"--data", options_.data, "--model", "lenet", "--weights",
                                        "none", "--image-size", "32", "--folds", "2", "--max-steps",
                                        "1", "--out", folder_ / "run"} +
               columns);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("images from column 'where', labels from column 'what'"));
  EXPECT_EQ(finetune({"--resume", folder_ / "run"}).exit_code, 0);
  const Outcome scored = run_program(
      "evaluate",
      std::vector<std::string>{"--run", folder_ / "run", "--data", options_.data} + columns);
  EXPECT_EQ(scored.exit_code, 0) << scored.output;
}

}  // namespace
}  // namespace hanok::test
