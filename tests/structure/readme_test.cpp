// README.md is short, and leads to every room.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/structure/pages.h"
#include "tests/structure/source_tree.h"

namespace hanok::structure {
namespace {

using ::testing::ElementsAre;

TEST(Readme, HasAtMost900WordsWithItsProgramAndTables) {
  EXPECT_EQ(word_count("two `words`\n| a |\n"), 5);
  EXPECT_LE(word_count(read("README.md")), 900);
}

TEST(Readme, AnswersInTheOrderInWhichOneAsks) {
  EXPECT_THAT(matches(read("README.md"), "\n## ([^\n]+)"),
              ElementsAre("Two commands", "How fast", "Your own photographs",
                          "The library in 40 lines", "The map", "Where to read on"));
}

TEST(Readme, LinksEveryRoom) {
  std::vector<std::string> expected;
  for (const std::string& room : rooms()) expected.push_back(room);
  expected.insert(expected.end(), {"tests", "bench"});
  EXPECT_EQ(matches(read("README.md"), R"(\[[a-z]+\]\(([a-z]+)/README\.md\))"), expected);
}

}  // namespace
}  // namespace hanok::structure
