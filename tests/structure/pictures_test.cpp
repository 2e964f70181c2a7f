// The pictures in docs/pictures show what is so: the map the include graph, the demo a recorded
// run.
#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "tests/structure/pages.h"
#include "tests/structure/source_tree.h"

namespace hanok::structure {
namespace {

using ::testing::Contains;
using ::testing::IsEmpty;

constexpr const char* kHowToDraw = "; docs/pictures/make_map.py draws the map again";

/// "a -> b" for each room and each other room that it includes from.
std::set<std::string> arrows_between_rooms() {
  std::set<std::string> arrows;
  for (const std::string& room : rooms()) {
    for (const std::string& file : files(room, {".h", ".cpp", ".cu", ".cuh"})) {
      for (const std::string& quoted : includes(read(file)).quoted) {
        if (quoted.rfind("hanok/", 0) != 0) continue;
        const std::string other = room_of(included_file(quoted));
        if (other != room) arrows.insert(room + " -> " + other);
      }
    }
  }
  return arrows;
}

/// Folders of a room that hold sources, below the room: "cpu cpu/conv2d cpu/isa".
std::string folders_of(const std::string& room) {
  std::set<std::string> folders;
  for (const std::string& file : files(room, {".h", ".cpp", ".cu", ".cuh"})) {
    const std::filesystem::path folder = std::filesystem::path(file).parent_path();
    if (folder != room) folders.insert(folder.lexically_relative(room).generic_string());
  }
  std::string text;
  for (const std::string& folder : folders) text += (text.empty() ? "" : " ") + folder;
  return text;
}

std::set<std::string> set_of(const std::vector<std::string>& list) {
  return {list.begin(), list.end()};
}

TEST(Map, ShowsTheIncludeGraph) {
  const std::string map = read("docs/pictures/map.svg");
  EXPECT_EQ(set_of(matches(map, "\n([a-z]+ -> [a-z]+)")), arrows_between_rooms()) << kHowToDraw;
  // An arrow that is not drawn follows from those that are.
  const std::set<std::string> drawn = set_of(matches(map, R"rx(data-arrow="([a-z]+ [a-z]+)")rx"));
  std::set<std::string> reached = drawn;
  for (std::size_t before = 0; before != reached.size();) {
    before = reached.size();
    for (const std::string& first : std::set<std::string>(reached)) {
      for (const std::string& second : drawn) {
        const std::string from = first.substr(0, first.find(' '));
        if (first.substr(from.size() + 1) == second.substr(0, second.find(' '))) {
          reached.insert(from + second.substr(second.find(' ')));
        }
      }
    }
  }
  std::set<std::string> wanted;
  for (const std::string& arrow : arrows_between_rooms()) {
    wanted.insert(arrow.substr(0, arrow.find(' ')) + arrow.substr(arrow.rfind(' ')));
  }
  for (const std::string& arrow : wanted) EXPECT_THAT(reached, Contains(arrow)) << kHowToDraw;
  for (const std::string& arrow : drawn) EXPECT_THAT(wanted, Contains(arrow)) << kHowToDraw;
}

TEST(Map, ShowsEveryRoomWithItsFolders) {
  const std::string map = read("docs/pictures/map.svg");
  std::set<std::string> shown;
  for (const std::string& room : rooms()) {
    EXPECT_EQ(matches(map, "data-room=\"" + room + "\" data-folders=\"([^\"]*)\""),
              std::vector<std::string>{folders_of(room)})
        << room << kHowToDraw;
  }
  EXPECT_EQ(matches(map, "data-room=\"([a-z]+)\"").size(), rooms().size()) << kHowToDraw;
}

/// Texts of an SVG picture, entities decoded.
std::vector<std::string> texts_of(const std::string& svg) {
  std::vector<std::string> texts = matches(svg, "<text[^>]*>([^<]*)</text>");
  for (std::string& text : texts) {
    for (const auto& [entity, character] : {std::pair{"&lt;", "<"},
                                            {"&gt;", ">"},
                                            {"&amp;", "&"},
                                            {"&#x27;", "'"},
                                            {"&quot;", "\""}}) {
      for (std::size_t at = text.find(entity); at != std::string::npos; at = text.find(entity)) {
        text.replace(at, std::string(entity).size(), character);
      }
    }
  }
  return texts;
}

/// The words of the first text that starts with `start`; empty without one.
std::vector<std::string> words_of_line(const std::vector<std::string>& texts,
                                       const std::string& start) {
  for (const std::string& text : texts) {
    if (text.rfind(start, 0) != 0) continue;
    std::istringstream in(text.substr(start.size()));
    std::vector<std::string> words;
    for (std::string word; in >> word;) words.push_back(word);
    return words;
  }
  return {};
}

std::string four_digits(const nlohmann::json& value) {
  std::ostringstream text;
  text.precision(4);
  text << std::fixed << value.get<double>();
  return text.str();
}

class DemoPicture : public ::testing::Test {
 protected:
  std::vector<std::string> texts_ = texts_of(read("docs/pictures/demo.svg"));
  nlohmann::json summary_ = nlohmann::json::parse(read("docs/pictures/demo/summary.json"));
};

TEST_F(DemoPicture, ShowsLinesOfTheRecordedLog) {
  std::set<std::string> log;
  std::istringstream in(read("docs/pictures/demo/log.txt"));
  for (std::string line; std::getline(in, line);) log.insert(line);
  ASSERT_GT(texts_.size(), 20U);
  for (const std::string& text : texts_) {
    const bool of_the_script = text == "..." || text.rfind("$ ", 0) == 0;
    EXPECT_TRUE(of_the_script || log.count(text) > 0) << text;
    EXPECT_EQ(text.find("images/s"), std::string::npos)
        << "a speed depends on the machine: " << text;
  }
}

TEST_F(DemoPicture, ShowsTheScoresOfTheRecordedSummary) {
  const nlohmann::json& fold = summary_["folds"][0];
  EXPECT_THAT(words_of_line(texts_, "0  "),
              ::testing::ElementsAre(four_digits(fold["macro_f1"]), four_digits(fold["accuracy"]),
                                     std::to_string(fold["best_epoch"].get<int>()),
                                     four_digits(fold["majority_macro_f1"]),
                                     four_digits(fold["shuffled_labels_macro_f1"])));
  EXPECT_EQ(words_of_line(texts_, "mean").at(0), four_digits(summary_["macro_f1"]));
  const std::vector<std::string> closing = words_of_line(texts_, "macro F1 ");
  ASSERT_EQ(closing.size(), 13U);
  EXPECT_EQ(closing[0], four_digits(summary_["macro_f1"]) + ";");
  EXPECT_EQ(closing[7], four_digits(summary_["majority_macro_f1"]) + ",");
  EXPECT_EQ(closing[12], four_digits(summary_["shuffled_labels_macro_f1"]));
}

TEST_F(DemoPicture, ShowsTheClassesOfTheRecordedSummary) {
  int shown = 0;
  for (const auto& [name, scores] : summary_["per_class"].items()) {
    const std::vector<std::string> words = words_of_line(texts_, name + "  ");
    if (words.empty()) continue;
    ++shown;
    EXPECT_THAT(words, ::testing::ElementsAre(
                           four_digits(scores["precision"]), four_digits(scores["recall"]),
                           four_digits(scores["f1"]), std::to_string(scores["support"].get<int>())))
        << name;
  }
  EXPECT_GE(shown, 3);
}

TEST_F(DemoPicture, ShowsTheEpochOfTheBestWeights) {
  const int best = summary_["best_epoch"].get<int>();
  const int epochs = summary_["folds"][0]["epochs"].get<int>();
  std::vector<std::string> last;
  for (int epoch = 1; epoch <= epochs; ++epoch) {
    const std::string number = (epoch < 10 ? " " : "") + std::to_string(epoch);
    const std::vector<std::string> words = words_of_line(texts_, "fold 0  epoch " + number + "/");
    ASSERT_FALSE(words.empty()) << "epoch " << epoch;
    if (words.back() == "*") last = words;
    EXPECT_TRUE(epoch != best || words.back() == "*");
  }
  EXPECT_THAT(last, Contains(four_digits(summary_["macro_f1"])));
}

TEST(Pictures, AreEachShownOnAPage) {
  std::string all_pages;
  for (const std::string& page : pages()) all_pages += read(page);
  std::vector<std::string> unused;
  for (const std::string& picture : files("docs/pictures", {".svg"})) {
    const std::string name = std::filesystem::path(picture).filename().string();
    if (all_pages.find("pictures/" + name + ")") == std::string::npos) unused.push_back(picture);
  }
  EXPECT_THAT(unused, IsEmpty());
}

}  // namespace
}  // namespace hanok::structure
