// The pages of runs in a browser: of a finished run, of one in training, of two compared.
#include <chrono>
#include <csignal>
#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <thread>

#include "tests/apps/program.h"
#include "tests/support/browser.h"

namespace hanok::test {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;
using Arguments = std::vector<std::string>;
using Texts = std::vector<std::string>;

const std::string kClass = "<script>alert(1)<";
const std::string kFile = "it's \"A\" & <img src=x onerror=alert(2)>.png";

/// What all pages are asked: JSON of their parts.
constexpr const char* kScript = R"js(
  function texts(selector) {
    return Array.from(document.querySelectorAll(selector)).map(function (one) {
      return one.textContent;
    });
  }
  function rows(caption) {
    var table = Array.from(document.querySelectorAll("table")).find(function (one) {
      return one.caption && one.caption.textContent.indexOf(caption) === 0;
    });
    return table ? Array.from(table.tBodies[0].rows).map(function (row) {
      return Array.from(row.cells).map(function (cell) { return cell.textContent; }).join("|");
    }) : [];
  }
  return JSON.stringify({
    sections: Array.from(document.querySelectorAll("h2")).map(function (one) { return one.id; }),
    titles: texts(".gallery b"), lines: texts(".gallery li"), charts: texts("figcaption"),
    classes: rows("Scores of each class").concat(rows("F1 of each class over all folds")),
    scores: rows("Scores").map(function (row) { return row.split("|")[0]; }),
    options: rows("Options that differ"),
    scripts: document.querySelectorAll("script").length,
    lines_drawn: document.querySelectorAll(".chart svg path, .chart svg polyline").length,
    findings: texts("p.finding"), body: document.body.innerText.slice(0, 2000),
    refresh: document.querySelectorAll("meta[http-equiv=refresh]").length
  });
)js";

class RunPageInABrowser : public ::testing::Test {
 protected:
  void SetUp() override {
    if (find_browser().empty()) GTEST_SKIP() << "no Chromium to open the page with";
    draw_photos(folder_ / "photos", {.members = 16, .groups = true});
    fs::rename(folder_ / "photos/class1", folder_ / ("photos/" + kClass));
    // A photograph of class 0 under another label: the surest wrong answer.
    fs::copy_file(folder_ / "photos/class0/p00_0.png",
                  folder_ / ("photos/" + kClass + "/" + kFile));
  }
  Arguments command(const std::string& run, const Arguments& more) const {
    return Arguments{"--data",       folder_ / "photos",
                     "--model",      "lenet",
                     "--weights",    "none",
                     "--image-size", "32",
                     "--batch-size", "8",
                     "--folds",      "2",
                     "--device",     "cpu",
                     "--threads",    "1",
                     "--out",        folder_ / run} +
           more;
  }
  void train(const std::string& run, const Arguments& more) const {
    const Outcome outcome = finetune(command(run, more));
    ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  }
  static nlohmann::json visit(const std::string& page, const std::string& name, int height) {
    const BrowserReport report =
        open_in_browser(page, {.name = name, .script = kScript, .height = height});
    EXPECT_THAT(report.problems, IsEmpty());
    EXPECT_GT(report.clicks, 10);
    nlohmann::json seen = nlohmann::json::parse(report.result);
    EXPECT_EQ(seen.at("scripts"), 2);  // the page's own, and the one of this test
    EXPECT_GT(seen.at("lines_drawn"), 0);
    return seen;
  }

  TemporaryFolder folder_;
};

TEST_F(RunPageInABrowser, OfAFinishedRun) {
  train("run", {"--epochs", "8", "--lr", "0.01"});
  const nlohmann::json seen = visit(folder_ / "run/report.html", "run", 9000);
  EXPECT_THAT(seen.at("sections").get<Texts>(),
              IsSupersetOf({"result", "curves", "confusion", "classes", "photographs",
                            "calibration", "freezing", "settings", "costs"}));
  EXPECT_THAT(seen.at("classes").get<Texts>(), Contains(HasSubstr(kClass + "|17|")));
  EXPECT_THAT(seen.at("titles").get<Texts>(), Contains(kFile));
  EXPECT_THAT(seen.at("lines").get<Texts>(),
              Contains(AllOf(HasSubstr(kFile), HasSubstr("prediction: class0"))));
  EXPECT_THAT(seen.at("findings").get<Texts>(), Contains(HasSubstr("Macro F1 is ")));
  EXPECT_EQ(seen.at("refresh"), 0);
}

TEST_F(RunPageInABrowser, OfTwoRuns) {
  train("<i>good", {"--epochs", "8", "--lr", "0.01"});
  train("poor & \"short\"", {"--epochs", "1", "--lr", "0.00001"});
  const Outcome outcome = run_program("report", {folder_ / "<i>good", folder_ / "poor & \"short\"",
                                                 "--out", folder_ / "compared.html"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  const nlohmann::json seen = visit(folder_ / "compared.html", "comparison", 6000);
  EXPECT_THAT(seen.at("sections").get<Texts>(),
              ElementsAre("result", "settings", "curves", "classes", "images"));
  EXPECT_THAT(seen.at("scores").get<Texts>(), IsSupersetOf({"<i>good", "poor & \"short\""}));
  EXPECT_THAT(seen.at("options").get<Texts>(), Contains("--lr|0.01|1e-05"));
  EXPECT_THAT(seen.at("classes").get<Texts>(), Contains(HasSubstr(kClass + "|17|")));
}

TEST_F(RunPageInABrowser, OfARunInTraining) {
  Process process("finetune", command("run", {"--epochs", "100000", "--patience", "0"}));
  const std::string page = folder_ / "run/report.html";  // written some seconds after the start
  for (int tenth = 0; !fs::exists(page) && tenth < 600; ++tenth) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  ASSERT_TRUE(fs::exists(page));
  fs::copy_file(page, folder_ / "live.html");
  process.send(SIGINT);
  EXPECT_EQ(process.wait().exit_code, 3);
  const nlohmann::json seen = visit(folder_ / "live.html", "live", 3000);
  EXPECT_THAT(seen.at("sections").get<Texts>(), ElementsAre("progress", "curves", "settings"));
  EXPECT_THAT(seen.at("findings").get<Texts>(),
              ElementsAre(HasSubstr("0 of 2 folds are done; fold 0 has done epoch")));
  EXPECT_THAT(seen.at("charts").get<Texts>(), Contains(HasSubstr("Losses of fold 0")));
  EXPECT_EQ(seen.at("refresh"), 1);
}

}  // namespace
}  // namespace hanok::test
