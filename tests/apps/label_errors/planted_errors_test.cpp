// `labels` as a user runs it: labels that were made wrong stand first in the list.
#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <string>
#include <vector>

#include "tests/apps/program.h"

namespace hanok::test {
namespace {

/// 120 drawn photographs of three classes in a table; every 30th has the next class's label.
class PlantedErrors : public ::testing::Test {
 protected:
  PlantedErrors() {
    draw_photos(folder_ / "photos", {.members = 40});
    std::string table = "path,label\n";
    for (int i = 0; i < 120; ++i) {
      const std::string path = "class" + std::to_string(i / 40) + "/photo" +
                               (i % 40 < 10 ? "0" : "") + std::to_string(i % 40) + ".png";
      const bool wrong = i % 30 == 7;
      if (wrong) suggestions_[path] = "class" + std::to_string(i / 40);
      table += path + ",class" + std::to_string((i / 40 + (wrong ? 1 : 0)) % 3) + "\n";
    }
    write_text(folder_ / "photos/labels.csv", table);
  }

  std::string train(const std::string& seed, const std::vector<std::string>& more = {}) {
    const std::string run = folder_ / ("seed" + seed);
    const std::vector<std::string> arguments = {"--data",       folder_ / "photos",
                                                "--layout",     "csv",
                                                "--model",      "lenet",
                                                "--weights",    "none",
                                                "--image-size", "32",
                                                "--batch-size", "8",
                                                "--epochs",     "6",
                                                "--augment",    "none",
                                                "--folds",      "2",
                                                "--threads",    "1",
                                                "--seed",       seed,
                                                "--out",        run};
    const Outcome outcome = finetune(arguments + more);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
    return run;
  }

  TemporaryFolder folder_;
  std::map<std::string, std::string> suggestions_;  // of the wrong labels: what is right
};

TEST_F(PlantedErrors, StandFirstByEveryRankingWithTheRightSuggestion) {
  const std::vector<std::string> runs = {train("1"), train("2")};
  for (const std::string ranking : {"combined", "margin", "self-confidence"}) {
    SCOPED_TRACE(ranking);
    const std::string csv = folder_ / (ranking + ".csv");
    const Outcome outcome = run_program(
        "labels",
        runs + std::vector<std::string>{"--ranking", ranking, "--threads", "1", "--out", csv});
    ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
    const std::vector<std::vector<std::string>> rows = read_plain_csv(csv);
    ASSERT_EQ(rows.size(), 121U);
    std::size_t found = 0;
    for (std::size_t i = 1; i <= 7; ++i) {  // the first 6%
      const auto planted = suggestions_.find(rows[i][0]);
      if (planted == suggestions_.end()) continue;
      ++found;
      EXPECT_EQ(rows[i][2], planted->second);
    }
    EXPECT_EQ(found, suggestions_.size());
  }
}

TEST_F(PlantedErrors, OfARunOfOneFoldAreItsImages) {
  const std::string run = folder_ / "one";
  const Outcome trained = finetune({"--data",       folder_ / "photos",
                                    "--layout",     "csv",
                                    "--model",      "lenet",
                                    "--weights",    "none",
                                    "--image-size", "32",
                                    "--epochs",     "1",
                                    "--folds",      "2",
                                    "--fold",       "1",
                                    "--threads",    "1",
                                    "--out",        run});
  ASSERT_EQ(trained.exit_code, 0) << trained.output;
  const Outcome outcome = run_program("labels", {run, "--out", folder_ / "one.csv"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_EQ(read_plain_csv(folder_ / "one.csv").size(), 61U);  // and the header
}

TEST_F(PlantedErrors, ASecondLookContinuesTheDecisionsOfTheFirst) {
  const auto& [path, right] = *suggestions_.begin();
  std::string wrong;
  for (const auto& row : read_plain_csv(folder_ / "photos/labels.csv")) {
    if (row[0] == path) wrong = row[1];
  }
  const std::string table = folder_ / "corrections.csv";
  write_text(table, "path,label,action,new_label\n" + path + "," + wrong + ",relabel," + right +
                        "\nclass0/photo00.png,class0,keep,\n");
  const std::string run = train("1", {"--corrections", table});
  const auto labels = [&run](const std::vector<std::string>& more) {
    return run_program("labels", std::vector<std::string>{run, "--neighbours", "0"} + more);
  };
  const Outcome again = labels({"--report", folder_ / "labels.html"});
  EXPECT_EQ(again.exit_code, 0) << again.output;
  EXPECT_THAT(again.output, ::testing::HasSubstr("2 decisions are loaded from " + run));
  EXPECT_THAT(again.output, ::testing::HasSubstr("decided: relabel to " + right));
  EXPECT_THAT(read_text(folder_ / "labels.html"), ::testing::HasSubstr("&quot;" + path + "&quot;"));

  write_text(table, "path,label,action,new_label\nclass0/photo01.png,class0,drop,\n");
  const Outcome other = labels({"--corrections", table});
  EXPECT_EQ(other.exit_code, 0) << other.output;
  EXPECT_THAT(other.output, ::testing::HasSubstr("1 decision is loaded from " + table));
  write_text(table, "path,label,action,new_label\nclass0/photo99.png,class0,drop,\n");
  const Outcome unknown = labels({"--corrections", table});
  EXPECT_EQ(unknown.exit_code, 1) << unknown.output;
  EXPECT_THAT(unknown.output, ::testing::HasSubstr(table + ":2: 'class0/photo99.png' is not in"));
  const Outcome nowhere = labels({"--corrections", folder_ / "nowhere.csv"});
  EXPECT_EQ(nowhere.exit_code, 1) << nowhere.output;
  EXPECT_THAT(nowhere.output, ::testing::HasSubstr("nowhere.csv"));
}

TEST_F(PlantedErrors, AreFoundAtTheEndOfARun) {
  const std::string asked = train("1", {"--find-labels"});
  EXPECT_TRUE(std::filesystem::exists(asked + "/labels.html"));
  const std::string run = train("2");
  EXPECT_FALSE(std::filesystem::exists(run + "/labels.html"));
  const Outcome resumed = finetune({"--resume", run, "--find-labels"});
  EXPECT_EQ(resumed.exit_code, 0) << resumed.output;

  // As the program labels does.
  const Outcome alone = run_program("labels", {run});
  EXPECT_EQ(alone.exit_code, 0) << alone.output;
  EXPECT_THAT(alone.output, ::testing::HasSubstr("Suspected labels"));
  EXPECT_THAT(resumed.output, ::testing::HasSubstr(alone.output));
  const std::string page = read_text(run + "/labels.html");
  const std::string table = read_text(run + "/suspects.csv");
  const Outcome anew = run_program(
      "labels", {run, "--report", run + "/labels.html", "--out", run + "/suspects.csv"});
  EXPECT_EQ(anew.exit_code, 0) << anew.output;
  EXPECT_EQ(read_text(run + "/labels.html"), page);
  EXPECT_EQ(read_text(run + "/suspects.csv"), table);
}

TEST_F(PlantedErrors, AreNotLookedForInASingleSplit) {
  const auto expect = [&](const std::vector<std::string>& split, const std::string& text) {
    const Outcome outcome = finetune(
        std::vector<std::string>{"--data", folder_ / "photos", "--weights", "none", "--model",
                                 "lenet", "--find-labels", "--out", folder_ / "refused"} +
        split);
    EXPECT_EQ(outcome.exit_code, 2) << outcome.output;
    EXPECT_THAT(outcome.output, ::testing::HasSubstr("--find-labels: needs for every photograph"));
    EXPECT_THAT(outcome.output, ::testing::HasSubstr(text));
    EXPECT_FALSE(std::filesystem::exists(folder_ / "refused"));
  };
  expect({"--folds", "2", "--fold", "1"}, "take --fold all");
  expect({"--val-fraction", "0.3"}, "take --folds N instead");
  expect({"--folds", "given"}, "take --folds N");
  std::filesystem::remove(folder_ / "photos/labels.csv");
  std::filesystem::rename(folder_ / "photos", folder_ / "classes");
  for (const std::string part : {"train", "val"}) {
    std::filesystem::create_directories(folder_ / "photos");
    std::filesystem::copy(folder_ / "classes", folder_ / ("photos/" + part),
                          std::filesystem::copy_options::recursive);
  }
  expect({"--max-steps", "1"}, "add --folds N");
}

TEST_F(PlantedErrors, AreNotWrittenOverTheData) {
  const std::string run = train("1");
  const std::string table = read_text(folder_ / "photos/labels.csv");
  const Outcome over = run_program("labels", {run, "--out", folder_ / "photos/labels.csv"});
  EXPECT_EQ(over.exit_code, 2) << over.output;
  EXPECT_THAT(over.output, ::testing::HasSubstr("--out"));
  EXPECT_EQ(read_text(folder_ / "photos/labels.csv"), table);
  const Outcome picture =
      run_program("labels", {run, "--report", folder_ / "photos/class0/photo00.png"});
  EXPECT_EQ(picture.exit_code, 2) << picture.output;
}

}  // namespace
}  // namespace hanok::test
