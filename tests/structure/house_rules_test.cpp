// Rules of the house that a machine can check: short files, a README in each room, finished text.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/structure/source_tree.h"

namespace hanok::structure {
namespace {

using ::testing::IsEmpty;

std::vector<std::string> rooms_and_sides() {
  std::vector<std::string> all = rooms();
  all.insert(all.end(), {"tests", "bench"});
  return all;
}

TEST(HouseRules, NoSourceFileIsLongerThan600Lines) {
  constexpr int kMaxLines = 600;
  EXPECT_EQ(line_count("a\nb\n"), 2);
  EXPECT_EQ(line_count("a\nb"), 2);
  std::vector<std::string> long_files;
  int checked = 0;
  for (const std::string& room : rooms_and_sides()) {
    for (const std::string& file : files(room, {".h", ".cpp", ".cu", ".cuh", ".py", ".cmake"})) {
      ++checked;
      const int lines = line_count(read(file));
      if (lines > kMaxLines) long_files.push_back(file + ": " + std::to_string(lines) + " lines");
    }
  }
  EXPECT_GT(checked, 50);
  EXPECT_THAT(long_files, IsEmpty());
}

TEST(HouseRules, EveryRoomHasAReadmeOfOnePage) {
  for (const std::string& room : rooms_and_sides()) {
    const std::string path = room + "/README.md";
    ASSERT_TRUE(std::filesystem::exists(root() / path)) << path;
    const int lines = line_count(read(path));
    EXPECT_GE(lines, 10) << path;
    EXPECT_LE(lines, 120) << path;
  }
}

TEST(HouseRules, SourcesHoldNoUnfinishedMarks) {
  // Spelt in halves, so that this file passes its own test.
  const std::vector<std::string> marks = {std::string("TO") + "DO", std::string("FIX") + "ME",
                                          std::string("not imple") + "mented"};
  std::vector<std::string> found;
  for (const std::string& room : rooms_and_sides()) {
    for (const std::string& file : files(room, {".h", ".cpp", ".py", ".cmake"})) {
      const std::string text = read(file);
      for (const std::string& mark : marks) {
        if (text.find(mark) != std::string::npos) found.push_back(file + ": " + mark);
      }
    }
  }
  EXPECT_THAT(found, IsEmpty());
}

}  // namespace
}  // namespace hanok::structure
