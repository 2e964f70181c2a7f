// Folds equal scikit-learn's sample by sample; shuffled folds have the same properties.
#include "hanok/data/splits.h"

#include <algorithm>
#include <gmock/gmock.h>
#include <map>
#include <set>

#include "hanok/kernels/base/error.h"
#include "tests/data/support.h"

namespace hanok::data {
namespace {

using test::message_of;
using testing::ElementsAre;
using testing::HasSubstr;

struct Case {
  std::vector<std::int64_t> labels;
  std::vector<std::string> groups;
  int folds;
};

/// The input of a golden case, from the formula that make_data.py used.
Case case_of(const std::string& name, const golden::Json& json) {
  Case result;
  result.folds = json.at("folds");
  const std::int64_t count = json.at("count");
  for (const std::int64_t draw : golden::integers(name + "/label", count, 1000)) {
    std::int64_t label = 0, up_to = json.at("shares")[0];
    while (draw >= up_to) up_to += json.at("shares")[static_cast<std::size_t>(++label)].get<int>();
    result.labels.push_back(label);
  }
  for (const std::int64_t g : golden::integers(name + "/group", count, json.at("groups"))) {
    result.groups.push_back("g" + std::to_string(g));
  }
  return result;
}

std::string letters(const Folds& folds) {
  std::string text;
  for (const int fold : folds) text += static_cast<char>('a' + fold);
  return text;
}

TEST(Splits, StratifiedKFoldIsScikitLearns) {
  int compared = 0;
  const golden::Json file = golden::load("data_splits.json");
  for (const auto& [name, json] : file.at("cases").items()) {
    if (!json.contains("plain")) continue;
    const Case input = case_of(name, json);
    EXPECT_EQ(letters(stratified_k_fold(input.labels, input.folds)), json.at("plain")) << name;
    ++compared;
  }
  EXPECT_GE(compared, 60);
}

TEST(Splits, StratifiedGroupKFoldIsScikitLearns) {
  int compared = 0;
  const golden::Json file = golden::load("data_splits.json");
  for (const auto& [name, json] : file.at("cases").items()) {
    if (!json.contains("grouped")) continue;
    const Case input = case_of(name, json);
    EXPECT_EQ(letters(stratified_group_k_fold(input.labels, input.groups, input.folds)),
              json.at("grouped"))
        << name;
    ++compared;
  }
  EXPECT_GE(compared, 60);
}

TEST(Splits, LabelsMayBeAnyNumbers) {
  const std::vector<std::int64_t> small = {0, 0, 1, 1, 0, 1, 2, 2, 1, 0};
  std::vector<std::int64_t> other;
  for (const std::int64_t label : small) other.push_back(label == 0 ? 77 : label == 1 ? -5 : 12);
  EXPECT_EQ(stratified_k_fold(small, 2), stratified_k_fold(other, 2));
}

Case people() {
  Case result;
  result.folds = 5;
  for (int person = 0; person < 90; ++person) {
    for (int shot = 0; shot < 7; ++shot) {
      result.labels.push_back(person % 9 == 0 ? 2 : shot == 6 ? 1 : 0);
      result.groups.push_back("person " + std::to_string(person));
    }
  }
  return result;
}

/// Samples of each class in each fold.
std::map<std::int64_t, std::map<int, int>> counts_of(const std::vector<std::int64_t>& labels,
                                                     const Folds& folds) {
  std::map<std::int64_t, std::map<int, int>> counts;
  for (std::size_t i = 0; i < labels.size(); ++i) ++counts[labels[i]][folds[i]];
  return counts;
}

void expect_no_group_is_cut(const std::vector<std::string>& groups, const Folds& folds) {
  std::map<std::string, int> fold_of;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    EXPECT_EQ(fold_of.emplace(groups[i], folds[i]).first->second, folds[i]) << groups[i];
  }
}

TEST(Splits, ShufflingIsAFunctionOfTheSeedAndKeepsClassesEven) {
  const Case input = people();
  const Folds folds = stratified_k_fold(input.labels, 5, 7);
  EXPECT_EQ(folds, stratified_k_fold(input.labels, 5, 7));
  EXPECT_NE(folds, stratified_k_fold(input.labels, 5, 8));
  EXPECT_NE(folds, stratified_k_fold(input.labels, 5));
  for (auto& [label, by_fold] : counts_of(input.labels, folds)) {
    ASSERT_EQ(by_fold.size(), 5U);
    const auto [low, high] =
        std::minmax({by_fold[0], by_fold[1], by_fold[2], by_fold[3], by_fold[4]});
    EXPECT_LE(high - low, 1) << "class " << label;
  }
}

TEST(Splits, ShuffledGroupsStayWhole) {
  const Case input = people();
  const Folds folds = stratified_group_k_fold(input.labels, input.groups, 5, 7);
  EXPECT_EQ(folds, stratified_group_k_fold(input.labels, input.groups, 5, 7));
  EXPECT_NE(folds, stratified_group_k_fold(input.labels, input.groups, 5, 8));
  expect_no_group_is_cut(input.groups, folds);
  for (auto& [label, by_fold] : counts_of(input.labels, folds)) {
    ASSERT_EQ(by_fold.size(), 5U);
    int total = 0;
    for (const auto& [fold, count] : by_fold) total += count;
    for (const auto& [fold, count] : by_fold) {
      EXPECT_NEAR(count, total / 5.0, 7) << "class " << label << " fold " << fold;
    }
  }
}

TEST(Splits, HoldOutTakesTheFractionOfEachClass) {
  const Case input = people();
  for (const double fraction : {0.1, 0.2, 0.5}) {
    const Folds folds = stratified_hold_out(input.labels, {}, fraction, 3);
    for (auto& [label, by_side] : counts_of(input.labels, folds)) {
      const double share = by_side[0] / static_cast<double>(by_side[0] + by_side[1]);
      EXPECT_NEAR(share, fraction, 0.02) << "class " << label;
    }
    EXPECT_NE(folds, stratified_hold_out(input.labels, {}, fraction, 4));
  }
}

TEST(Splits, HoldOutByGroupsCutsNone) {
  const Case input = people();
  const Folds folds = stratified_hold_out(input.labels, input.groups, 0.2, 3);
  expect_no_group_is_cut(input.groups, folds);
  for (auto& [label, by_side] : counts_of(input.labels, folds)) {
    const double share = by_side[0] / static_cast<double>(by_side[0] + by_side[1]);
    EXPECT_NEAR(share, 0.2, 0.05) << "class " << label;
  }
}

TEST(Splits, HoldOutHoldsSomethingOutWhateverTheFraction) {
  const Folds folds = stratified_hold_out({0, 0, 1, 1}, {"a", "a", "b", "b"}, 0.01, 0);
  EXPECT_THAT((std::set<int>{folds.begin(), folds.end()}), ElementsAre(0, 1));
}

TEST(Splits, ErrorsSayWhatIsWrong) {
  EXPECT_THAT(message_of<ValueError>([] {
                stratified_k_fold({0, 1, 0}, 1);
              }),
              HasSubstr("1 folds, at least 2"));
  EXPECT_THAT(message_of<ValueError>([] { stratified_k_fold({}, 2); }), HasSubstr("no samples"));
  EXPECT_THAT(message_of<ValueError>([] {
                stratified_k_fold({0, 1, 0}, 3);
              }),
              HasSubstr("3 folds, but the largest class has only 2 members"));
  EXPECT_THAT(message_of<ValueError>([] {
                stratified_group_k_fold({0, 0, 0, 0}, {"a", "a", "b", "b"}, 3);
              }),
              HasSubstr("3 folds, but there are only 2 groups"));
  EXPECT_THAT(message_of<ValueError>([] {
                stratified_group_k_fold({0, 0}, {"a"}, 2);
              }),
              HasSubstr("2 labels but 1 groups"));
  for (const double fraction : {0.0, 1.0, -1.0, std::nan("")}) {
    EXPECT_THROW(stratified_hold_out({0, 1, 0}, {}, fraction, 0), ValueError) << fraction;
  }
  EXPECT_THROW(stratified_hold_out({0, 1}, {"a", "a"}, 0.5, 0), ValueError);
}

TEST(Splits, TableCountsClassesAndFolds) {
  EXPECT_EQ(fold_table({0, 1, 1, 0, 1}, 2, {0, 0, 1, 1, 1}, {"cat", "elephant"}),
            "class      fold 0   fold 1    total\n"
            "cat             1        1        2\n"
            "elephant        1        2        3\n"
            "total           2        3        5\n");
  EXPECT_THROW(fold_table({0}, 1, {0, 1}, {"a", "b"}), ValueError);
  EXPECT_THROW(fold_table({3}, 2, {0}, {"a"}), ValueError);
}

TEST(Splits, TableOfManyClassesAndFoldsIsShort) {
  std::vector<std::string> names;
  std::vector<std::int64_t> labels;
  Folds folds;
  for (int c = 0; c < 1000; ++c) {
    names.push_back("class" + std::to_string(c));
    for (int i = 0; i < (c == 700 ? 3 : 20); ++i) {
      labels.push_back(c);
      folds.push_back(i % 20);
    }
  }
  const std::string table = fold_table(folds, 20, labels, names);
  EXPECT_EQ(std::count(table.begin(), table.end(), '\n'), 23);  // header, 20, the rest, total
  EXPECT_THAT(table, HasSubstr("class     least and most of 20 folds    total\n"
                               "class700                      0 to 1        3\n"));
  EXPECT_THAT(table, HasSubstr("... and 980 classes with as many or more\n"
                               "total                    999 to 1000    19983\n"));
  const std::vector<std::string> warnings = fold_warnings(labels, names, 50);
  ASSERT_EQ(warnings.size(), 11U);
  EXPECT_EQ(warnings[10], "990 more classes have fewer members than there are folds");
}

TEST(Splits, WarnsOfClassesSmallerThanTheNumberOfFolds) {
  EXPECT_THAT(fold_warnings({0, 0, 0, 1, 2, 2}, {"many", "one", "two", "none"}, 3),
              ElementsAre("class one has 1 member but there are 3 folds",
                          "class two has 2 members but there are 3 folds",
                          "class none has 0 members but there are 3 folds"));
}

}  // namespace
}  // namespace hanok::data
