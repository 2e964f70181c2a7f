#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/label_errors/labels_page.h"
#include "hanok/apps/pages/html.h"
#include "hanok/apps/pages/text.h"
#include "hanok/kernels/base/error.h"
#include "tests/apps/program.h"
#include "tests/support/browser.h"

namespace hanok::label_errors {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// Five images of two classes; image 2 is labelled 0 and looks like 1.
RunPredictions five_images() {
  return {.class_names = {"<script>", "b, c"},
          .paths = {"a/0.png", "a/1.png", "a/2.png", "b/\"3\".png", "b/4.png"},
          .mean = {.classes = 2,
                   .labels = {0, 0, 0, 1, 1},
                   .probabilities = {0.9F, 0.1F, 0.8F, 0.2F, 0.1F, 0.9F, 0.2F, 0.8F, 0.45F, 0.55F}},
          .votes = {{0, 0, 1, 1, 0}, {0, 0, 1, 1, 1}}};
}

TEST(Suspects, TheWrongLabelComesFirst) {
  const RunPredictions predictions = five_images();
  const ConfidentJoint joint = confident_joint(predictions.mean);
  const std::vector<Suspect> suspects = rank_suspects(predictions, joint, {}, Ranking::Combined);
  ASSERT_EQ(suspects.size(), 5U);
  EXPECT_EQ(suspects[0].image, 2);
  EXPECT_EQ(suspects[0].suggestion, 1);
  EXPECT_TRUE(suspects[0].counted);
  EXPECT_DOUBLE_EQ(suspects[0].agreement, 1);
  EXPECT_EQ(suspects[1].image, 4);
  EXPECT_DOUBLE_EQ(suspects[1].agreement, 0.5);
  EXPECT_FALSE(suspects[1].counted);
}

TEST(Suspects, NeighboursWithOtherLabelsMakeALabelSuspect) {
  const RunPredictions predictions = five_images();
  const Neighbourhood near = {
      {{3, 1.0F}, {4, 1.0F}}, {{0, 1.0F}}, {{3, 1.0F}}, {{4, 1.0F}}, {{3, 0.9F}}};
  const std::vector<float> shares = neighbour_shares(predictions, near);
  EXPECT_FLOAT_EQ(shares[1], 1);  // image 0: both neighbours are labelled 1
  const std::vector<Suspect> suspects =
      rank_suspects(predictions, confident_joint(predictions.mean), near, Ranking::Combined);
  EXPECT_EQ(suspects[0].image, 2);
  EXPECT_EQ(suspects[1].image, 0);
}

run_report::RunRecord record(const std::string& name,
                             const std::vector<run_report::Prediction>& predictions) {
  run_report::RunRecord run{.path = name, .name = name};
  run.data.dataset.class_names = {"no", "yes"};
  run.data.folds = 2;
  run.planned = {0};
  run.folds.emplace_back(2);
  run.predictions = predictions;
  return run;
}

run_report::Prediction prediction(const std::string& path, int fold, std::int64_t label,
                                  float yes) {
  return {.path = path,
          .group = path,
          .fold = fold,
          .label = label,
          .answer = yes > 0.5F ? 1 : 0,
          .probabilities = {1 - yes, yes}};
}

TEST(Predictions, AreAveragedOverRuns) {
  const RunPredictions both =
      join_predictions({record("1", {prediction("b", 0, 0, 0.2F), prediction("a", 1, 1, 0.6F)}),
                        record("2", {prediction("a", 0, 1, 0.1F), prediction("b", 0, 0, 0.4F)})});
  EXPECT_THAT(both.paths, ElementsAre("a", "b"));
  EXPECT_THAT(both.mean.labels, ElementsAre(1, 0));
  EXPECT_FLOAT_EQ(both.mean.probability(0, 0), 0.65F);
  EXPECT_THAT(both.votes, ElementsAre(ElementsAre(1, 0), ElementsAre(0, 0)));
  EXPECT_EQ(both.index_of("b"), 1);
  EXPECT_EQ(both.index_of("c"), -1);
}

TEST(Predictions, RepeatsVoteByThemselves) {
  // Folds 0 and 1 are the first repeat, 2 and 3 the second.
  const RunPredictions two =
      join_predictions({record("1", {prediction("a", 0, 0, 0.2F), prediction("b", 1, 1, 0.9F),
                                     prediction("a", 2, 0, 0.6F)})});
  EXPECT_THAT(two.votes, ElementsAre(ElementsAre(0, 1), ElementsAre(1, -1)));
  EXPECT_FLOAT_EQ(two.mean.probability(0, 0), 0.6F);
}

TEST(Predictions, RefuseOtherLabelsOtherClassesAndUnfinishedRuns) {
  const run_report::RunRecord first = record("1", {prediction("a", 0, 0, 0.2F)});
  EXPECT_THROW(join_predictions({first, record("2", {prediction("a", 0, 1, 0.2F)})}), ValueError);
  run_report::RunRecord other = first;
  other.data.dataset.class_names = {"no", "maybe"};
  EXPECT_THROW(join_predictions({first, other}), ValueError);
  run_report::RunRecord unfinished = first;
  unfinished.planned = {0, 1};
  EXPECT_THROW(join_predictions({unfinished}), training::UsageError);
}

TEST(Suspects, AnImageWithoutNeighboursIsJudgedByTheNetworksAlone) {
  const RunPredictions predictions = five_images();
  const Neighbourhood none(5);
  const ConfidentJoint joint = confident_joint(predictions.mean);
  const auto combined = rank_suspects(predictions, joint, none, Ranking::Combined);
  const auto alone = rank_suspects(predictions, joint, {}, Ranking::SelfConfidence);
  for (std::size_t i = 0; i < alone.size(); ++i) {
    EXPECT_EQ(combined[i].image, alone[i].image);
    EXPECT_DOUBLE_EQ(combined[i].score, alone[i].score);
  }
}

TEST(LabelsPage, DecisionsAreMadeByKeyboard) {
  if (test::find_browser().empty()) GTEST_SKIP() << "no Chromium to open the page with";
  const RunPredictions predictions = five_images();
  const ConfidentJoint joint = confident_joint(predictions.mean);
  const std::vector<Suspect> suspects = rank_suspects(predictions, joint, {}, Ranking::Margin);
  const test::TemporaryFolder folder;
  const pages::Page page = labels_page(
      {.runs = {"run"}, .predictions = predictions, .joint = joint, .suspects = suspects},
      [](const std::string&) { return pages::Picture{}; });
  pages::write_page(folder / "labels.html", page);
  const test::BrowserReport report =
      test::open_in_browser(folder / "labels.html", {.name = "labels", .script = R"js(
         document.getElementById("forget").click();
         function press(key) {
           var event = new KeyboardEvent("keydown", {key: key, bubbles: true});
           document.activeElement.dispatchEvent(event);
         }
         document.activeElement.blur();
         press("j"); press("r");            // a/2.png: to the suggestion
         press("d");                        // b/4.png
         press("j"); press("i"); press("k");
         press("1");                        // to the first class
         return window.correctionsTable() + document.getElementById("decided").textContent;
       )js"});
  EXPECT_THAT(report.problems, IsEmpty());
  EXPECT_THAT(report.result, HasSubstr("path,label,action,new_label\n"));
  EXPECT_THAT(report.result, HasSubstr("a/2.png,<script>,relabel,\"b, c\"\n"));
  EXPECT_THAT(report.result, HasSubstr("b/4.png,\"b, c\",drop,\n"));
  EXPECT_THAT(report.result, HasSubstr("of 5 shown"));
}

/// Decisions of before, one of them about an image that is not among the shown ones.
MadeDecisions made_decisions() {
  return {.file = "<old>.csv",
          .of_path = {{"a/2.png", {.action = "relabel", .label = "<script>", .new_label = "b, c"}},
                      {"b/4.png", {.action = "keep", .label = "b, c"}},
                      {"b/\"5\".png", {.action = "drop", .label = "b, c"}}}};
}

TEST(LabelsPage, StartsWithDecisionsOfBefore) {
  if (test::find_browser().empty()) GTEST_SKIP() << "no Chromium to open the page with";
  const RunPredictions predictions = five_images();
  const ConfidentJoint joint = confident_joint(predictions.mean);
  const std::vector<Suspect> suspects = rank_suspects(predictions, joint, {}, Ranking::Margin);
  const test::TemporaryFolder folder;
  const pages::Page page = labels_page({.runs = {"run"},
                                        .predictions = predictions,
                                        .joint = joint,
                                        .suspects = suspects,
                                        .made = made_decisions()},
                                       [](const std::string&) { return pages::Picture{}; });
  pages::write_page(folder / "labels.html", page);
  // Every button has been pressed before the script runs: back to what was loaded.
  const test::BrowserReport report =
      test::open_in_browser(folder / "labels.html", {.name = "labels-again", .script = R"js(
         document.getElementById("forget").click();
         var shown = Array.from(document.querySelectorAll(".card[data-action]")).map(
             function (card) { return card.dataset.path + " " + card.dataset.action; });
         return window.correctionsTable() + shown.sort().join(", ") +
             document.getElementById("decided").textContent;
       )js"});
  EXPECT_THAT(report.problems, IsEmpty());
  EXPECT_THAT(report.result, HasSubstr("path,label,action,new_label\n"
                                       "a/2.png,<script>,relabel,\"b, c\"\n"
                                       "\"b/\"\"5\"\".png\",\"b, c\",drop,\n"
                                       "b/4.png,\"b, c\",keep,\n"));
  EXPECT_THAT(report.result,
              HasSubstr("a/2.png relabel, b/4.png keep1 kept, 1 relabelled, 1 drop"));
}

TEST(LabelsPage, TheTerminalNamesDecisionsOfBefore) {
  const RunPredictions predictions = five_images();
  const ConfidentJoint joint = confident_joint(predictions.mean);
  const std::vector<Suspect> suspects = rank_suspects(predictions, joint, {}, Ranking::Margin);
  const std::string text =
      pages::to_text(labels_page({.runs = {"run"},
                                  .predictions = predictions,
                                  .joint = joint,
                                  .suspects = suspects,
                                  .made = made_decisions()},
                                 [](const std::string&) { return pages::Picture{}; }));
  EXPECT_THAT(text, HasSubstr("3 decisions are loaded from <old>.csv: 1 kept, 1 relabelled, 1"));
  EXPECT_THAT(text, HasSubstr("-> b, c (p 0.90), 100% agree; decided: relabel to b, c\n"));
}

TEST(LabelsPage, TheTerminalListsTheFirst) {
  const RunPredictions predictions = five_images();
  const ConfidentJoint joint = confident_joint(predictions.mean);
  const std::vector<Suspect> suspects = rank_suspects(predictions, joint, {}, Ranking::Margin);
  const std::string text = pages::to_text(labels_page(
      {.runs = {"run"}, .predictions = predictions, .joint = joint, .suspects = suspects},
      [](const std::string&) { return pages::Picture{}; }));
  EXPECT_THAT(text, HasSubstr("   1. a/2.png: <script> (p 0.10) -> b, c (p 0.90), 100% agree\n"));
}

TEST(LabelsPage, TheTableHasEveryImage) {
  const RunPredictions predictions = five_images();
  const ConfidentJoint joint = confident_joint(predictions.mean);
  const std::string csv =
      suspects_csv(predictions, rank_suspects(predictions, joint, {}, Ranking::Margin));
  EXPECT_THAT(csv, HasSubstr("a/2.png,<script>,\"b, c\",0.100000,0.100000,0.900000,1.0000,1\n"));
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 6);
}

}  // namespace
}  // namespace hanok::label_errors
