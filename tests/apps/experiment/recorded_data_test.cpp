// A run is resumed with the files and classes that it recorded, whatever the data hold by then.
#include "hanok/apps/training/samples/recorded_data.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <regex>

#include "hanok/kernels/base/error.h"
#include "tests/apps/fold.h"
#include "tests/apps/program.h"

namespace hanok::test {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using Arguments = std::vector<std::string>;

/// A run of two folds whose second one is not trained yet.
class RecordedData : public ::testing::Test {
 protected:
  RecordedData() {
    draw_photos(folder_ / "photos");
    start(folder_ / "run", {"--data", folder_ / "photos"});
  }

  void start(const std::string& run, const Arguments& data) {
    const Outcome outcome =
        finetune(data + Arguments{"--model", "lenet", "--weights", "none", "--image-size", "32",
                                  "--folds", "2", "--batch-size", "8", "--epochs", "1", "--fold",
                                  "0", "--threads", "1", "--out", run});
    ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
    want_all_folds(run);
  }
  static void want_all_folds(const std::string& run) {
    replace_in(run + "/config.toml", "\nfold = 0\n", "\nfold = \"all\"\n");
  }
  static void replace_in(const std::string& file, const std::string& from, const std::string& to) {
    std::string text = read_text(file);
    const std::size_t at = text.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    write_text(file, text.replace(at, from.size(), to));
  }
  /// What an undisturbed resume ends with.
  std::string expected_hash() {
    std::filesystem::copy(folder_ / "run", folder_ / "undisturbed",
                          std::filesystem::copy_options::recursive);
    EXPECT_EQ(finetune({"--resume", folder_ / "undisturbed"}).exit_code, 0);
    return hash_of(folder_ / "undisturbed");
  }
  static std::string hash_of(const std::string& run) {
    return read_json(run + "/summary.json").at("weights_hash").get<std::string>();
  }
  /// As a run that was started by a program that recorded neither classes nor sizes.
  static void forget_records(const std::string& run) {
    const std::string config = read_text(run + "/config.toml");
    write_text(run + "/config.toml", config.substr(0, config.find("[recorded]")));
    const std::string table = read_text(run + "/folds.csv");
    write_text(run + "/folds.csv", std::regex_replace(table, std::regex(",[^,\n]*\n"), "\n"));
  }

  TemporaryFolder folder_;
};

TEST_F(RecordedData, NewImagesAndClassesAreNamedAndIgnored) {
  const std::string expected = expected_hash();
  std::filesystem::copy(folder_ / "photos/class0", folder_ / "photos/ant");
  std::filesystem::copy_file(folder_ / "photos/class0/photo00.png",
                             folder_ / "photos/class1/brandnew.png");
  const Outcome outcome = finetune({"--resume", folder_ / "run"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_THAT(outcome.output,
              AllOf(HasSubstr("1 class is new since the run was started; the run goes on without"),
                    HasSubstr("ant (12 images)"), HasSubstr("1 image is new"),
                    HasSubstr("class1/brandnew.png")));
  EXPECT_EQ(hash_of(folder_ / "run"), expected);
  EXPECT_THAT(read_json(folder_ / "run/summary.json").at("class_names"),
              ElementsAre("class0", "class1", "class2"));
}

TEST_F(RecordedData, OfAnOldRunAreItsCheckpointsClasses) {
  const std::string expected = expected_hash();
  forget_records(folder_ / "run");
  EXPECT_THAT(read_text(folder_ / "run/folds.csv"), HasSubstr("path,label,group,fold\n"));
  std::filesystem::copy(folder_ / "photos/class0", folder_ / "photos/ant");
  const Outcome outcome = finetune({"--resume", folder_ / "run"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("ant"));
  EXPECT_EQ(hash_of(folder_ / "run"), expected);
}

TEST_F(RecordedData, OfAnOldRunWithoutCheckpointAreTheTablesClasses) {
  const std::string expected = expected_hash();
  forget_records(folder_ / "run");
  std::filesystem::remove_all(folder_ / "run/fold_0");
  std::filesystem::copy(folder_ / "photos/class0", folder_ / "photos/ant");
  const Outcome outcome = finetune({"--resume", folder_ / "run"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_EQ(hash_of(folder_ / "run"), expected);
}

TEST_F(RecordedData, AFolderThatCouldNotStartARunIsNoObstacle) {
  std::filesystem::create_directory(folder_ / "photos/empty");
  const Outcome outcome = finetune({"--resume", folder_ / "run"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_THAT(outcome.output, AllOf(HasSubstr("warning"), HasSubstr("empty")));
}

TEST_F(RecordedData, MissingImagesAreNamed) {
  std::filesystem::remove(folder_ / "photos/class0/photo03.png");
  std::filesystem::remove(folder_ / "photos/class2/photo04.png");
  const Outcome outcome = finetune({"--resume", folder_ / "run"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(
      outcome.output,
      AllOf(HasSubstr("2 of the run's 36 images are missing"), HasSubstr("class0/photo03.png"),
            HasSubstr("class2/photo04.png"), HasSubstr("put them back"), Not(HasSubstr("epoch"))));
}

TEST_F(RecordedData, ChangedImagesAreNamed) {
  std::filesystem::copy_file(folder_ / "photos/class1/photo01.png",
                             folder_ / "photos/class0/photo03.png",
                             std::filesystem::copy_options::overwrite_existing);
  write_text(folder_ / "photos/class0/photo03.png",
             read_text(folder_ / "photos/class0/photo03.png") + " ");
  const Outcome outcome = finetune({"--resume", folder_ / "run"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.output, AllOf(HasSubstr("1 of the run's 36 images has changed"),
                                    HasSubstr("class0/photo03.png"), Not(HasSubstr("epoch"))));
}

TEST_F(RecordedData, OtherLabelsInATableAreNamedAndIgnored) {
  std::string table = "path,label\n";
  for (const std::string name : {"class0", "class1"}) {
    for (int i = 0; i < 10; ++i) {
      table += name + "/photo0" + std::to_string(i) + ".png," + name + "\n";
    }
  }
  write_text(folder_ / "photos/labels.csv", table);
  start(folder_ / "table", {"--data", folder_ / "photos/labels.csv"});
  replace_in(folder_ / "photos/labels.csv", "class0/photo03.png,class0",
             "class0/photo03.png,class1");
  const Outcome outcome = finetune({"--resume", folder_ / "table"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_THAT(outcome.output, AllOf(HasSubstr("1 image has another label"),
                                    HasSubstr("class0/photo03.png: class0, now class1")));
}

TEST_F(RecordedData, DataThatWereMovedAreFollowed) {
  const std::string expected = expected_hash();
  std::filesystem::rename(folder_ / "photos", folder_ / "elsewhere");
  const Outcome lost = finetune({"--resume", folder_ / "run"});
  EXPECT_EQ(lost.exit_code, 1);
  EXPECT_THAT(lost.output, AllOf(HasSubstr("photos"), HasSubstr("--data FOLDER")));
  // Other data are none of the run's.
  draw_photos(folder_ / "other", {.classes = 2});
  const Outcome other = finetune({"--resume", folder_ / "run", "--data", folder_ / "other"});
  EXPECT_EQ(other.exit_code, 1);
  EXPECT_THAT(other.output, HasSubstr("12 of the run's 36 images are missing"));
  const Outcome found = finetune({"--resume", folder_ / "run", "--data", folder_ / "elsewhere"});
  EXPECT_EQ(found.exit_code, 0) << found.output;
  EXPECT_EQ(hash_of(folder_ / "run"), expected);
  // And are known from then on.
  EXPECT_THAT(read_text(folder_ / "run/config.toml"), HasSubstr("elsewhere"));
  EXPECT_EQ(finetune({"--resume", folder_ / "run"}).exit_code, 0);
}

TEST_F(RecordedData, AGroupTableMayBeGone) {
  std::string table = "path,group\n";
  for (const auto& row : read_plain_csv(folder_ / "run/folds.csv")) {
    if (row[0] != "path") table += row[0] + ",person " + row[0].substr(row[0].size() - 5) + "\n";
  }
  write_text(folder_ / "groups.csv", table);
  start(folder_ / "grouped", {"--data", folder_ / "photos", "--group", folder_ / "groups.csv"});
  const std::string folds = read_text(folder_ / "grouped/folds.csv");
  EXPECT_THAT(folds, HasSubstr(",person 0.png,"));
  std::filesystem::remove(folder_ / "groups.csv");
  std::filesystem::rename(folder_ / "grouped", folder_ / "moved");
  const Outcome outcome = finetune({"--resume", folder_ / "moved"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_THAT(outcome.output, AllOf(HasSubstr("groups kept together"), Not(HasSubstr(" by ,"))));
  EXPECT_EQ(read_text(folder_ / "moved/folds.csv"), folds);
}

TEST_F(RecordedData, ARunFolderMayBeMoved) {
  const std::string expected = expected_hash();
  std::filesystem::create_directory(folder_ / "archive");
  std::filesystem::rename(folder_ / "run", folder_ / "archive/moved");
  const Outcome outcome = finetune({"--resume", folder_ / "archive/moved"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_EQ(hash_of(folder_ / "archive/moved"), expected);
}

TEST_F(RecordedData, ADemonstrationsDataMoveWithItsRun) {
  start(folder_ / "demo", {"--demo", "--people", "6"});
  std::filesystem::rename(folder_ / "demo", folder_ / "moved");
  const Outcome outcome = finetune({"--resume", folder_ / "moved"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("moved/data"));
}

TEST_F(RecordedData, AFinishedRunNeedsNoData) {
  ASSERT_EQ(finetune({"--resume", folder_ / "run"}).exit_code, 0);
  const std::string summary = read_text(folder_ / "run/summary.json");
  std::filesystem::remove_all(folder_ / "photos");
  const Outcome outcome = finetune({"--resume", folder_ / "run"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_EQ(read_text(folder_ / "run/summary.json"), summary);
}

TEST_F(RecordedData, DamagedRecordsAreNamedByLine) {
  const std::string table = read_text(folder_ / "run/folds.csv");
  const std::string config = read_text(folder_ / "run/config.toml");
  const auto expect = [this](const std::string& text) {
    const Outcome outcome = finetune({"--resume", folder_ / "run"});
    EXPECT_EQ(outcome.exit_code, 1) << outcome.output;
    EXPECT_THAT(outcome.output, HasSubstr(text));
  };
  replace_in(folder_ / "run/folds.csv", "photo00.png,0,", "photo00.png,x,");
  expect("folds.csv:2: fold is 'x'");
  write_text(folder_ / "run/folds.csv", table);
  replace_in(folder_ / "run/folds.csv", "photo00.png,0,", "photo00.png,7,");
  expect("has a fold 7");
  write_text(folder_ / "run/folds.csv", "path,label,group,fold\n");
  expect("has a header but no rows");
  write_text(folder_ / "run/folds.csv", table);
  write_text(folder_ / "run/config.toml",
             config.substr(0, config.find("[recorded]")) + "[recorded]\nlayout = \"folder\"\n");
  expect("[recorded]: folds is missing");
}

using RecordedRoundTrip = FoldTest;

TEST_F(RecordedRoundTrip, KeepsClassesOfAnyName) {
  training::RecordedData record = training::recorded(data());
  record.class_names = {
      "a \"quoted\" one", "back\\slash", "two\nlines", "\xE2\x98\x95 espresso", "", "del\x7F"};
  record.data_in_run = "data";
  write_text(folder_ / "config.toml", to_toml(options_, to_toml(record)));
  const auto read = training::recorded_in_toml(folder_ / "config.toml");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->class_names, record.class_names);
  EXPECT_EQ(read->layout, "folder");
  EXPECT_EQ(read->folds, 2);
  EXPECT_EQ(read->grouped, data().grouped);
  EXPECT_EQ(read->data_in_run, "data");
  // As a configuration of another run it means nothing.
  training::Options again;
  EXPECT_NO_THROW(apply_toml_file(again, folder_ / "config.toml"));
}

}  // namespace
}  // namespace hanok::test
