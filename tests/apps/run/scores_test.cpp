// Tables, CSV and JSON of a confusion matrix stay readable with a thousand classes.
#include "hanok/apps/run/scores.h"

#include <algorithm>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "hanok/apps/run/fold_result.h"
#include "hanok/kernels/base/error.h"
#include "tests/apps/program.h"

namespace hanok::training {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using Names = std::vector<std::string>;

Names numbered(int classes) {
  Names names;
  for (int c = 0; c < classes; ++c) names.push_back(fmt::format("class{:04}", c));
  return names;
}

/// Ten images a class, right but for class 7: six of its images are taken for 11, three for 12.
nn::ConfusionMatrix mostly_right(int classes) {
  nn::ConfusionMatrix matrix(classes);
  for (std::int64_t c = 0; c < classes; ++c) {
    if (c != 7) matrix.add(c, c, 10);
  }
  matrix.add(7, 7, 1);
  matrix.add(7, 11, 6);
  matrix.add(7, 12, 3);
  return matrix;
}

std::size_t longest_line(const std::string& text) {
  std::size_t longest = 0;
  for (const std::string& line : test::lines_of(text)) longest = std::max(longest, line.size());
  return longest;
}

TEST(Scores, AFewClassesAreShownWhole) {
  const nn::ConfusionMatrix matrix = mostly_right(13);
  EXPECT_TRUE(fit_the_screen(matrix, numbered(13)));
  EXPECT_EQ(test::lines_of(class_table(matrix, numbered(13))).size(), 14U);
  EXPECT_EQ(test::lines_of(confusion_table(matrix, numbered(13))).size(), 14U);
}

TEST(Scores, ManyClassesAreShownByTheirWorst) {
  for (const int classes : {31, 300, 1000}) {
    const nn::ConfusionMatrix matrix = mostly_right(classes);
    const Names names = numbered(classes);
    EXPECT_FALSE(fit_the_screen(matrix, names));
    const std::string table = class_table(matrix, names);
    EXPECT_THAT(table, HasSubstr(fmt::format("20 lowest F1 of {} classes", classes)));
    const std::vector<std::string> lines = test::lines_of(table);
    ASSERT_EQ(lines.size(), 22U);
    EXPECT_THAT(lines[2], HasSubstr("class0007"));  // F1 2/11
    EXPECT_THAT(lines[3], HasSubstr("class0011"));  // F1 20/26
    EXPECT_THAT(lines[4], HasSubstr("class0012"));  // F1 20/23
    EXPECT_LE(longest_line(table), 100U);

    const std::string pairs = confusion_table(matrix, names);
    const std::vector<std::string> rows = test::lines_of(pairs);
    ASSERT_EQ(rows.size(), 4U);
    EXPECT_THAT(rows[2], ::testing::ContainsRegex("6 +60.0%  class0007 +class0011"));
    EXPECT_THAT(rows[3], ::testing::ContainsRegex("3 +30.0%  class0007 +class0012"));
  }
}

TEST(Scores, TheClassesThatDoNotOccurAreNotAmongTheWorst) {
  nn::ConfusionMatrix matrix(40);
  matrix.add(3, 3, 2);
  matrix.add(4, 3, 1);
  const std::vector<std::string> lines = test::lines_of(class_table(matrix, numbered(40)));
  ASSERT_EQ(lines.size(), 4U);
  EXPECT_THAT(lines[2], HasSubstr("class0004"));
  EXPECT_THAT(lines[3], HasSubstr("class0003"));
}

TEST(Scores, WithoutMistakesThereAreNoPairs) {
  nn::ConfusionMatrix matrix(40);
  matrix.add(3, 3, 2);
  EXPECT_THAT(confusion_table(matrix, numbered(40)), HasSubstr("no class was taken for another"));
}

TEST(Scores, LongNamesDoNotWidenTheTables) {
  Names names = numbered(13);
  names[7] = std::string(300, 'x') + "end";
  names[11] = "\xC3\xA9" + std::string(200, 'y') + "\xC3\xA9";
  const nn::ConfusionMatrix matrix = mostly_right(13);
  EXPECT_LE(longest_line(class_table(matrix, names)), 100U);
  EXPECT_LE(longest_line(confusion_table(matrix, names)), 100U);
  EXPECT_LE(shown_name(names[7]).size(), 40U);
  EXPECT_THAT(shown_name(names[7]), ::testing::EndsWith("xend"));
  std::string accents;
  for (int i = 0; i < 60; ++i) accents += "\xC3\xA9";
  for (const std::string& name : {accents, "x" + accents, names[11]}) {
    std::size_t starts = 0;  // no half of a character is left
    for (const char c : shown_name(name)) {
      starts += (static_cast<unsigned char>(c) & 0xC0U) == 0xC0U ? 1 : 0;
    }
    std::size_t ends = 0;
    for (const char c : shown_name(name)) {
      ends += (static_cast<unsigned char>(c) & 0xC0U) == 0x80U ? 1 : 0;
    }
    EXPECT_EQ(starts, ends) << name;
  }
}

TEST(Scores, CsvHoldsEveryClassAndEveryCount) {
  nn::ConfusionMatrix matrix(2);
  matrix.add(0, 1, 3);
  matrix.add(1, 1, 1);
  const Names names = {"a, b", "c"};
  EXPECT_EQ(confusion_csv(matrix, names), "truth,\"a, b\",c\n\"a, b\",0,3\nc,0,1\n");
  EXPECT_EQ(per_class_csv(matrix, names),
            "class,precision,recall,f1,support\n"
            "\"a, b\",0.000000,0.000000,0.000000,3\n"
            "c,0.250000,1.000000,0.400000,1\n");
}

TEST(Scores, JsonNamesTheFilesWhereThereAreManyClasses) {
  for (const int classes : {100, 101}) {
    nlohmann::ordered_json out;
    add_class_scores(out, mostly_right(classes), numbered(classes),
                     {.per_class = "p.csv", .confusion_matrix = "m.csv"});
    const bool many = classes > 100;
    EXPECT_EQ(out.contains("per_class"), !many);
    EXPECT_EQ(out.contains("confusion_matrix"), !many);
    if (!many) continue;
    EXPECT_EQ(out["per_class_file"], "p.csv");
    EXPECT_EQ(out["confusion_matrix_file"], "m.csv");
    EXPECT_EQ(out["worst_pairs"].size(), 2U);
    EXPECT_EQ(out["worst_pairs"][0]["truth"], "class0007");
    EXPECT_EQ(out["worst_pairs"][0]["answer"], "class0011");
    EXPECT_EQ(out["worst_pairs"][0]["images"], 6);
    EXPECT_NEAR(out["worst_pairs"][0]["share"], 0.6, 1e-12);
  }
}

TEST(Scores, AMatrixComesBackFromBothFormsOfJson) {
  const nn::ConfusionMatrix matrix = mostly_right(20);
  for (const auto& json : {matrix_to_json(matrix), sparse_matrix_to_json(matrix)}) {
    const nn::ConfusionMatrix again = matrix_from_json(json);
    EXPECT_EQ(confusion_csv(again, numbered(20)), confusion_csv(matrix, numbered(20)));
  }
  nlohmann::ordered_json wrong = sparse_matrix_to_json(matrix);
  for (const char* count : {"1 2", "1 2 x", "20 0 1", "0 -1 1", ""}) {
    wrong["counts"][0] = count;
    EXPECT_THROW(matrix_from_json(wrong), ValueError) << count;
  }
}

TEST(FoldResults, AreReadableAndComeBackWithAThousandClasses) {
  FoldResult fold(1000);
  fold.confusion = mostly_right(1000);
  fold.subsets.emplace("*x*", mostly_right(1000));
  const std::string text = to_json_text(fold);
  EXPECT_LT(test::lines_of(text).size(), 4000U);  // not a million
  const FoldResult again = fold_result_from_json("result.json", text);
  EXPECT_EQ(again.confusion.count(7, 11), 6);
  EXPECT_EQ(again.confusion.total(), fold.confusion.total());
  EXPECT_EQ(again.subsets.at("*x*").total(), fold.confusion.total());

  const std::string summary = summary_json({again, again}, numbered(1000), {});
  EXPECT_LT(test::lines_of(summary).size(), 1300U);  // most are the names of the classes
  EXPECT_THAT(summary, HasSubstr("confusion_matrix.csv"));
  EXPECT_THAT(summary, Not(HasSubstr("\"per_class\"")));
}

}  // namespace
}  // namespace hanok::training
