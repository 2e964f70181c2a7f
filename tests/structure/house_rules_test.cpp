// Rules of the house that a machine can check: short files, a README in each room, finished text,
// no library code that prints.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <regex>
#include <sstream>

#include "tests/structure/pages.h"
#include "tests/structure/source_tree.h"

namespace hanok::structure {
namespace {

using ::testing::IsEmpty;
using ::testing::Not;

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

// A page is measured in words: lines can be made long.
TEST(HouseRules, EveryRoomHasAReadmeOfOnePage) {
  std::vector<std::string> all = rooms_and_sides();
  all.emplace_back("docs");
  for (const std::string& room : all) {
    const std::string path = room + "/README.md";
    ASSERT_TRUE(std::filesystem::exists(root() / path)) << path;
    const int words = word_count(read(path));
    EXPECT_GE(words, 100) << path;
    EXPECT_LE(words, 700) << path;
    EXPECT_NE(read(path).find("**Start reading**"), std::string::npos) << path;
    EXPECT_NE(read(path).find("\n## How to add"), std::string::npos) << path;
  }
}

TEST(HouseRules, PagesHaveLinesOfAtMost120Columns) {
  EXPECT_EQ(longest_line("ab\nabc d\n| a long row |\n").columns, 5);
  EXPECT_EQ(longest_line("\xC3\xA4 b\n").columns, 3);
  EXPECT_EQ(longest_line("one_long_word\n").columns, 0);
  for (const std::string& page : pages()) {
    const LongestLine longest = longest_line(read(page));
    EXPECT_LE(longest.columns, 120) << page << ": " << longest.text;
  }
}

/// Lines with more than `columns` characters, as "file:line".
std::vector<std::string> long_lines(const std::string& file, int columns) {
  std::vector<std::string> found;
  std::istringstream lines(read(file));
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    // A single word, such as a generator expression, cannot be wrapped.
    if (columns_of(line) > columns && word_count(line) > 1)
      found.push_back(file + ":" + std::to_string(number));
  }
  return found;
}

TEST(HouseRules, SourcesHaveLinesOfAtMost100Columns) {
  std::vector<std::string> found;
  for (const std::string& room : rooms_and_sides()) {
    for (const std::string& file : files(room, {".h", ".cpp", ".cu", ".cuh"})) {
      for (const std::string& line : long_lines(file, 100)) found.push_back(line);
    }
  }
  EXPECT_THAT(found, IsEmpty());
}

TEST(HouseRules, ScriptsAndBuildFilesHaveLinesOfAtMost120Columns) {
  std::vector<std::string> scripts = files(".", {".py", ".sh", ".cmake"});
  scripts.insert(scripts.end(), {"dev", ".ci/run"});
  for (const std::string& file : files(".", {".txt"})) {
    if (file.rfind("CMakeLists.txt") != std::string::npos) scripts.push_back(file);
  }
  EXPECT_GT(scripts.size(), 30U);
  std::vector<std::string> found;
  for (const std::string& file : scripts) {
    for (const std::string& line : long_lines(file, 120)) found.push_back(line);
  }
  EXPECT_THAT(found, IsEmpty());
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

/// The calls by which a text would reach standard output or error; comments do not count.
std::vector<std::string> prints_in(const std::string& text) {
  static const std::regex comment(R"(//[^\n]*)");
  static const std::regex print(
      R"((fmt::print|std::(cout|cerr|clog)|\b(printf|fprintf|puts|fputs|putchar|perror) *\(|)"
      R"(\b(stdout|stderr)\b))");
  const std::string code = std::regex_replace(text, comment, "");
  std::vector<std::string> found;
  for (std::sregex_iterator i(code.begin(), code.end(), print), end; i != end; ++i) {
    found.push_back(i->str());
  }
  return found;
}

TEST(HouseRules, FindsPrints) {
  EXPECT_EQ(prints_in("fmt::print(\"x\");").size(), 1U);
  EXPECT_EQ(prints_in("std::printf (\"x\"); std::cout << 1; puts(\"\");").size(), 3U);
  EXPECT_EQ(prints_in("std::fflush(stdout);").size(), 1U);
  EXPECT_THAT(prints_in("// fmt::print is for the terminal\nreporter.print(fmt::format(\"x\"));"),
              IsEmpty());
  EXPECT_THAT(prints_in("std::snprintf(buffer, 4, \"x\"); outputs(1);"), IsEmpty());
}

TEST(HouseRules, LibraryCodePrintsNothing) {
  // The one place that writes to the terminal; everything else speaks to a Reporter.
  const std::string terminal = "apps/cli/terminal.cpp";
  EXPECT_THAT(prints_in(read(terminal)), Not(IsEmpty()));
  std::vector<std::string> found;
  int checked = 0;
  for (const std::string& room : rooms()) {
    for (const std::string& file : files(room, {".h", ".cpp", ".cu", ".cuh"})) {
      if (file == terminal) continue;
      ++checked;
      for (const std::string& call : prints_in(read(file))) found.push_back(file + ": " + call);
    }
  }
  EXPECT_GT(checked, 200);
  EXPECT_THAT(found, IsEmpty());
}

}  // namespace
}  // namespace hanok::structure
