// report.html of real runs, by the programs: whole, interrupted, damaged, without data, with many
// classes.
#include <algorithm>
#include <csignal>
#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hanok/apps/pages/html.h"
#include "hanok/apps/pages/text.h"
#include "hanok/apps/run_report/run_page.h"
#include "tests/apps/program.h"

namespace hanok::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using Arguments = std::vector<std::string>;

const Arguments kTiny = {"--model",  "lenet",        "--weights", "none",    "--image-size",
                         "32",       "--batch-size", "6",         "--folds", "2",
                         "--device", "cpu",          "--threads", "1"};

Outcome report(const Arguments& arguments) { return run_program("report", arguments); }

class RunReport : public ::testing::Test {
 protected:
  std::string photos(const PhotoOptions& options = {}) {
    return draw_photos(folder_ / "photos", options);
  }
  /// Trains a run of two folds, by default for three epochs; returns finetune's output.
  std::string train(const std::string& name, const Arguments& more = {}) {
    Arguments arguments =
        kTiny + Arguments{"--data", folder_ / "photos", "--out", folder_ / name} + more;
    if (std::find(more.begin(), more.end(), "--epochs") == more.end()) {
      arguments = arguments + Arguments{"--epochs", "3"};
    }
    const Outcome outcome = finetune(arguments);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
    return outcome.output;
  }
  std::string page(const std::string& run) { return read_text(folder_ / (run + "/report.html")); }

  TemporaryFolder folder_;
};

TEST_F(RunReport, IsWrittenAtTheEndAndAnewWithTheSameBytes) {
  photos();
  const std::string output = train("run", {"--augment", "none"});
  EXPECT_THAT(output, HasSubstr("report: " + (folder_ / "run/report.html")));
  const std::string first = page("run");
  EXPECT_LT(first.size(), pages::kMostPageBytes);
  for (const char* text :
       {"Macro F1 is ", "95% interval of", "Always answering the most frequent class gives",
        "Losses of fold 0", "Losses of fold 1", "Learning rate", "Confusion matrix",
        "F1 of each class in each fold", "Least certain", "Reliability diagram",
        "expected calibration error", "What was trained, and when", "--augment", "weights (best)",
        "hanok"}) {
    EXPECT_THAT(first, HasSubstr(text));
  }
  const Outcome again = report({folder_ / "run"});
  EXPECT_EQ(again.exit_code, 0);
  EXPECT_THAT(again.output, AllOf(HasSubstr("Result\n------"), HasSubstr("report: ")));
  EXPECT_EQ(page("run"), first);
  EXPECT_EQ(report({folder_ / "run", "--quiet", "--out", folder_ / "other.html"}).output,
            "report: " + (folder_ / "other.html") + "\n");
  EXPECT_EQ(read_text(folder_ / "other.html"), first);
}

TEST_F(RunReport, EscapesTheNamesOfClassesAndFiles) {
  photos();
  std::filesystem::rename(folder_ / "photos/class1", folder_ / "photos/<script>alert(1)<");
  train("run");
  EXPECT_THAT(page("run"),
              AllOf(HasSubstr("&lt;script&gt;alert(1)&lt;"), Not(HasSubstr("<script>alert(1)"))));
  train("second", {"--lr", "0.002"});
  EXPECT_EQ(report({folder_ / "run", folder_ / "second", "--out", folder_ / "c.html"}).exit_code,
            0);
  EXPECT_THAT(read_text(folder_ / "c.html"),
              AllOf(HasSubstr("&lt;script&gt;alert(1)&lt;"), Not(HasSubstr("<script>alert(1)"))));
}

TEST_F(RunReport, WithoutTheDataSaysWhereThePhotographsWere) {
  photos();
  train("run");
  std::filesystem::rename(folder_ / "photos", folder_ / "elsewhere");
  const Outcome outcome = report({folder_ / "run"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_THAT(page("run"), AllOf(HasSubstr("The photographs are not shown"),
                                 HasSubstr("Reliability diagram"), Not(HasSubstr("image/jpeg"))));
  std::filesystem::rename(folder_ / "elsewhere", folder_ / "photos");
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_ / "photos")) {
    if (entry.is_regular_file()) write_text(entry.path().string(), "no image");
  }
  EXPECT_EQ(report({folder_ / "run"}).exit_code, 0);
  EXPECT_THAT(page("run"), HasSubstr("cannot be read any more"));
}

TEST_F(RunReport, OfARunFromBeforeRecordedWasWritten) {
  photos();
  train("run");
  std::string config = read_text(folder_ / "run/config.toml");
  config.resize(config.find("[recorded]"));
  write_text(folder_ / "run/config.toml", config);
  std::filesystem::rename(folder_ / "photos", folder_ / "elsewhere");
  EXPECT_EQ(report({folder_ / "run"}).exit_code, 0);
  EXPECT_THAT(page("run"), HasSubstr("Macro F1 is "));
}

TEST_F(RunReport, OfAnInterruptedRunHasTheFoldsThatAreDone) {
  photos();
  Process process("finetune",
                  kTiny + Arguments{"--data", folder_ / "photos", "--out", folder_ / "run",
                                    "--epochs", "100", "--patience", "0"});
  ASSERT_TRUE(process.wait_for_output("fold 1  epoch   3/100"));
  process.send(SIGINT);
  EXPECT_EQ(process.wait().exit_code, 3);
  EXPECT_THAT(page("run"),
              AllOf(HasSubstr("interrupted"), HasSubstr("Losses of fold 1"),
                    HasSubstr("1 of 2 folds are done"), Not(HasSubstr("http-equiv=\"refresh\""))));
  const Outcome outcome = report({folder_ / "run"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_THAT(page("run"), AllOf(HasSubstr("This run is not finished: 1 of 2 folds are done"),
                                 HasSubstr("Confusion matrix")));
}

TEST_F(RunReport, WithManyClassesStaysSmallAndListsTheWorst) {
  photos({.classes = 110, .members = 2, .size = 16});
  train("run", {"--epochs", "1"});
  const std::string text = page("run");
  EXPECT_LT(text.size(), 3U << 20);
  EXPECT_THAT(text, AllOf(HasSubstr("Most confused pairs"), Not(HasSubstr("Confusion matrix")),
                          HasSubstr("cannot be judged")));
}

TEST_F(RunReport, OfOneFoldAndOfRepeats) {
  photos();
  train("one", {"--fold", "0", "--baselines", "--report-subset", "*_1*"});
  EXPECT_THAT(page("one"), AllOf(HasSubstr("shuffled labels"), HasSubstr("Files by name"),
                                 HasSubstr("(95% interval")));
  train("repeats", {"--repeats", "2", "--epochs", "1"});
  EXPECT_THAT(page("repeats"), AllOf(HasSubstr("the mean of 4 folds"), HasSubstr("fold 3")));
}

TEST_F(RunReport, NamesAFileThatIsDamaged) {
  photos();
  train("run");
  const std::string metrics = folder_ / "run/metrics.jsonl";
  const std::string kept = read_text(metrics);
  write_text(metrics, kept + "{\"fold\": 1, \n");
  const Outcome damaged = report({folder_ / "run"});
  EXPECT_EQ(damaged.exit_code, 1);
  EXPECT_THAT(damaged.output, AllOf(HasSubstr("metrics.jsonl"), HasSubstr("line 7")));
  write_text(metrics, kept);
  const std::string predictions = folder_ / "run/fold_0/predictions.csv";
  std::string rows = read_text(predictions);
  rows.replace(rows.find(".png,class"), 10, ".png,cl###");
  write_text(predictions, rows);
  EXPECT_THAT(report({folder_ / "run"}).output,
              HasSubstr("fold_0/predictions.csv:2: \"cl###0\" is no class of the run"));
  std::filesystem::remove(predictions);
  EXPECT_THAT(report({folder_ / "run"}).output, HasSubstr("fold_0/predictions.csv"));
}

TEST_F(RunReport, RefusesWhatIsNoRunAndPagesThatWouldOverwrite) {
  photos();
  train("run", {"--epochs", "1"});
  train("second", {"--epochs", "1"});
  EXPECT_EQ(report({folder_ / "photos"}).exit_code, 2);
  EXPECT_THAT(report({folder_ / "photos"}).output, HasSubstr("holds no run"));
  EXPECT_EQ(report({}).exit_code, 2);
  EXPECT_THAT(report({folder_ / "run", folder_ / "run"}).output, HasSubstr("named twice"));
  EXPECT_THAT(report({folder_ / "run", "--out", folder_ / "run/summary.json"}).output,
              HasSubstr("must end in .html"));
  EXPECT_THAT(
      report({folder_ / "run", folder_ / "second", "--out", folder_ / "run/report.html"}).output,
      HasSubstr("is the page of that run alone"));
  EXPECT_NE(report({folder_ / "run", "--out", folder_ / "no/such/folder.html"}).exit_code, 0);
}

TEST_F(RunReport, IsOneOfTheRunsOwnFiles) {
  photos();
  train("run", {"--epochs", "1"});
  const Outcome outcome = predict({"--run", folder_ / "run", "--images", folder_ / "photos",
                                   "--out", folder_ / "run/report.html"});
  EXPECT_EQ(outcome.exit_code, 2) << outcome.output;
  std::filesystem::create_directory(folder_ / "new");
  write_text(folder_ / "new/report.html", "mine");
  const Outcome start = finetune(
      kTiny + Arguments{"--data", folder_ / "photos", "--out", folder_ / "new", "--epochs", "1"});
  EXPECT_EQ(start.exit_code, 2);
  EXPECT_THAT(start.output, HasSubstr("report.html"));
  EXPECT_EQ(read_text(folder_ / "new/report.html"), "mine");
}

TEST_F(RunReport, ComparesRunsPairedByFold) {
  photos({.members = 20});
  train("good", {"--epochs", "12"});
  train("poor", {"--epochs", "1", "--lr", "0.00001"});
  const Outcome outcome =
      report({folder_ / "poor", folder_ / "good", "--out", folder_ / "compared.html"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_THAT(outcome.output,
              AllOf(HasSubstr("good is better by"), HasSubstr("paired over 2"), HasSubstr("--lr"),
                    HasSubstr("Macro F1 by fold"), HasSubstr("both wrong")));
  train("split", {"--epochs", "1", "--repeats", "2"});
  const Outcome other =
      report({folder_ / "good", folder_ / "split", "--out", folder_ / "compared.html"});
  EXPECT_THAT(other.output, HasSubstr("into different folds"));
  std::filesystem::remove_all(folder_ / "photos");
  draw_photos(folder_ / "photos", {.classes = 2});
  train("two", {"--epochs", "1"});
  const Outcome classes =
      report({folder_ / "good", folder_ / "two", "--out", folder_ / "compared.html"});
  EXPECT_EQ(classes.exit_code, 0) << classes.output;
  EXPECT_THAT(classes.output, HasSubstr("have different classes (2 and 3)"));
}

TEST_F(RunReport, ThatCannotBeWrittenLeavesTheRunWhole) {
  photos();
  train("run", {"--epochs", "1"});
  std::filesystem::remove(folder_ / "run/report.html");
  std::filesystem::create_directory(folder_ / "run/report.html");
  const Outcome outcome = finetune({"--resume", folder_ / "run"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("warning: the report was not written"));
}

/// A run of one epoch, as the training loop sees it.
TEST_F(RunReport, WhileItTrainsHasCurvesAndIsLoadedAgain) {
  photos();
  train("run");
  run_report::RunRecord run = run_report::read_run(folder_ / "run");
  run.folds.pop_back();
  const pages::Page page = run_report::progress_page(run, /*running=*/true);
  EXPECT_GT(page.refresh_seconds, 0);
  const std::string html = pages::to_html(page);
  EXPECT_THAT(html, AllOf(HasSubstr("Losses of fold 1"), HasSubstr("1 of 2 folds are done"),
                          Not(HasSubstr("image/jpeg"))));
  EXPECT_LT(html.size(), 300'000U);
  EXPECT_EQ(run_report::progress_page(run, /*running=*/false).refresh_seconds, 0);
}

}  // namespace
}  // namespace hanok::test
