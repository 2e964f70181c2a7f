// What the documents say about the code is so: paths exist, quoted snippets occur, commands exist,
// and the README's map and table of ops match the sources.
#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <regex>
#include <set>
#include <sstream>

#include "tests/structure/primitives.h"
#include "tests/structure/source_tree.h"

namespace hanok::structure {
namespace {

using ::testing::Contains;
using ::testing::IsEmpty;

std::vector<std::string> documents() {
  std::vector<std::string> found = {"README.md", "CONTRIBUTING.md", "THIRD_PARTY.md"};
  for (const char* folder :
       {"kernels", "engine", "nn", "data", "weights", "apps", "tests", "bench"}) {
    for (const std::string& file : files(folder, {".md"})) found.push_back(file);
  }
  return found;
}

/// All matches of the pattern's first group.
std::vector<std::string> matches(const std::string& text, const std::string& pattern) {
  const std::regex regex(pattern);
  std::vector<std::string> found;
  for (std::sregex_iterator it(text.begin(), text.end(), regex), end; it != end; ++it) {
    found.push_back((*it)[1]);
  }
  return found;
}

/// Rows of the first Markdown table whose header starts with `first_column`, cells trimmed.
std::vector<std::vector<std::string>> table(const std::string& text,
                                            const std::string& first_column) {
  std::vector<std::vector<std::string>> rows;
  std::istringstream lines(text);
  bool inside = false;
  for (std::string line; std::getline(lines, line);) {
    if (!inside) {
      inside = line.rfind("| " + first_column + " |", 0) == 0;
      if (inside) rows.emplace_back(matches(line, R"(\|\s*([^|]*[^|\s])\s*(?=\|))"));
      continue;
    }
    if (line.empty() || line.front() != '|') break;
    if (line.find("---") != std::string::npos) continue;
    rows.emplace_back(matches(line, R"(\|\s*([^|]*[^|\s]|)\s*(?=\|))"));
  }
  return rows;
}

/// Without white space, so that a snippet may be indented or wrapped differently.
std::string squeezed(const std::string& text) {
  std::string result;
  for (const char c : text) {
    if (std::isspace(static_cast<unsigned char>(c)) == 0) result.push_back(c);
  }
  return result;
}

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

TEST(Documents, NameOnlyFilesThatExist) {
  const std::vector<std::string> all = files(".", {".h", ".cpp", ".cu", ".md", ".py", ".cmake"});
  std::vector<std::string> missing;
  int checked = 0;
  for (const std::string& document : documents()) {
    const std::filesystem::path folder = std::filesystem::path(document).parent_path();
    const std::string below = folder.generic_string() + "/";
    // `engine/ops.h`: a path in backticks, without wildcards or CAPITALS as placeholders; a room's
    // own page may leave out the room and the folders in it.
    for (const std::string& path :
         matches(read(document),
                 R"(`((?:[a-z0-9_.-]+/)*(?:[a-z0-9_.-]+\.(?:h|cpp|cu|py|cmake)|[A-Z_]+\.md))`)")) {
      ++checked;
      const bool there =
          std::filesystem::exists(root() / path) ||
          (!folder.empty() && std::any_of(all.begin(), all.end(), [&](const std::string& file) {
            return file.rfind(below, 0) == 0 && ends_with(file, "/" + path);
          }));
      if (!there) {
        missing.push_back(document + ": " + path);
      }
    }
  }
  EXPECT_GT(checked, 10);
  EXPECT_THAT(missing, IsEmpty());
}

TEST(Documents, NameOnlyCommandsThatDevHas) {
  const std::vector<std::string> lists = matches(read("dev"), "\ncommands=\\(([^)]*)\\)");
  ASSERT_EQ(lists.size(), 1U);
  std::istringstream words(lists[0]);
  std::set<std::string> commands = {"help"};
  for (std::string word; words >> word;) commands.insert(word);
  for (const std::string& document : documents()) {
    for (const std::string& name : matches(read(document), R"(\./dev ([a-z][a-z-]*))")) {
      EXPECT_THAT(commands, Contains(name)) << document;
    }
  }
}

// "From `path`:" stands before each block of code that was taken from there.
TEST(Documents, ContributingQuotesTheSourcesAsTheyAre) {
  const std::string text = read("CONTRIBUTING.md");
  const std::regex quote("`([a-z_]+/[A-Za-z0-9_./]+)`:\n+```cpp\n([^`]*)```");
  int quotes = 0;
  for (std::sregex_iterator it(text.begin(), text.end(), quote), end; it != end; ++it) {
    ++quotes;
    const std::string source = squeezed(read((*it)[1]));
    // An ellipsis leaves lines out: each part must be there, in order.
    std::size_t at = 0;
    std::istringstream lines((*it)[2].str() + "\n...\n");
    std::string part;
    for (std::string line; std::getline(lines, line);) {
      if (squeezed(line) != "...") {
        part += line;
        continue;
      }
      const std::size_t found = source.find(squeezed(part), at);
      EXPECT_NE(found, std::string::npos) << (*it)[1] << " does not hold:\n" << part;
      at = found == std::string::npos ? at : found + squeezed(part).size();
      part.clear();
    }
  }
  EXPECT_GE(quotes, 5);
  EXPECT_EQ(matches(text, "```(cpp)\n").size(), static_cast<std::size_t>(quotes))
      << "a block of code does not say where it is from";
}

TEST(CudaLadder, EveryRungIsInTheTable) {
  std::vector<std::string> want = {"rung"};
  for (const std::string& rung :
       matches(read("kernels/cuda/gemm/gemm_ladder.cu"), R"~(return "([a-z0-9_]+)";)~")) {
    want.push_back("`" + rung + "`");
  }
  EXPECT_GT(want.size(), 8U);
  std::vector<std::string> found;
  for (const std::vector<std::string>& row : table(read("kernels/cuda/README.md"), "rung")) {
    found.push_back(row.front());
  }
  EXPECT_EQ(found, want);
}

TEST(Readme, MapShowsEveryRoom) {
  std::vector<std::string> expected = rooms();
  expected.insert(expected.end(), {"tests", "bench"});
  std::vector<std::string> shown;
  for (const auto& row : table(read("README.md"), "room")) {
    if (row.at(0) == "room") continue;
    const std::vector<std::string> name =
        matches(row.at(0), R"(\[([a-z]+)\]\([a-z]+/README\.md\))");
    ASSERT_EQ(name.size(), 1U) << row.at(0);
    shown.push_back(name[0]);
  }
  EXPECT_EQ(shown, expected);
}

TEST(Readme, ListsTheEnvironmentVariables) {
  std::set<std::string> used;
  for (const std::string& room : rooms()) {
    for (const std::string& file : files(room, {".cpp"})) {
      for (const std::string& name : matches(read(file), R"rx("(HANOK_[A-Z0-9_]+)")rx")) {
        used.insert(name);
      }
    }
  }
  std::set<std::string> listed;
  for (const auto& row : table(read("README.md"), "variable")) {
    for (const std::string& name : matches(row.at(0), "`([A-Z0-9_]+)`")) listed.insert(name);
  }
  EXPECT_EQ(listed, used);
}

/// Functions declared in namespace hanok::ops.
std::set<std::string> declared_ops() {
  const std::string text = read("engine/ops.h");
  const std::size_t begin = text.find("namespace hanok::ops {");
  const std::string ops = text.substr(begin, text.find("}  // namespace hanok::ops") - begin);
  std::set<std::string> names;
  for (const std::string& name :
       matches(ops, R"(\n(?:Tensor|std::pair<Tensor, Tensor>) ([a-z0-9_]+)\()")) {
    names.insert(name);
  }
  return names;
}

TEST(Readme, OpTableMatchesTheSources) {
  const auto rows = table(read("README.md"), "op");
  ASSERT_GT(rows.size(), 2U);
  // A column a device: those that have a folder in kernels.
  std::vector<std::string> header = {"op", "kernels", "cpu"};
  if (std::filesystem::exists(root() / "kernels/cuda")) header.emplace_back("cuda");
  EXPECT_EQ(rows[0], header);

  std::set<std::string> called;  // by the ops
  for (const auto& [description, name] : primitives()) {
    for (const std::string& file : files("engine/ops", {".cpp"})) {
      if (has_word(read(file), description)) called.insert(name);
    }
  }

  std::set<std::string> ops_shown;
  std::set<std::string> kernels_shown;
  for (std::size_t i = 1; i < rows.size(); ++i) {
    ASSERT_EQ(rows[i].size(), header.size()) << rows[i].at(0);
    for (const std::string& op : matches(rows[i][0], "`([a-z0-9_]+)`")) {
      EXPECT_TRUE(ops_shown.insert(op).second) << op << " stands there twice";
    }
    for (const std::string& kernel : matches(rows[i][1], "`([a-z0-9_]+)`")) {
      EXPECT_THAT(called, Contains(kernel)) << "no op calls it";
      kernels_shown.insert(kernel);
    }
  }
  EXPECT_EQ(ops_shown, declared_ops());
  EXPECT_EQ(kernels_shown, called);
}

}  // namespace
}  // namespace hanok::structure
