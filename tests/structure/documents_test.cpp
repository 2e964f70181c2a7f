// What the pages say about the code is so: paths exist, quoted code occurs, functions are defined
// and entered where a page says so, and commands exist.
#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <set>
#include <sstream>

#include "tests/structure/pages.h"
#include "tests/structure/source_tree.h"

namespace hanok::structure {
namespace {

using ::testing::Contains;
using ::testing::IsEmpty;

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

TEST(Documents, NameOnlyFilesThatExist) {
  // What is generated from NAME.in while configuring counts too.
  const std::vector<std::string> all =
      files(".", {".h", ".cpp", ".cu", ".md", ".py", ".cmake", ".in"});
  const auto is_made_from_template = [&](const std::string& path) {
    const std::string name = "/" + std::filesystem::path(path).filename().string() + ".in";
    return std::any_of(all.begin(), all.end(),
                       [&](const std::string& file) { return ends_with(file, name); });
  };
  std::vector<std::string> missing;
  int checked = 0;
  for (const std::string& document : pages()) {
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
          std::filesystem::exists(root() / "include" / path) || is_made_from_template(path) ||
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

TEST(Documents, LinkOnlyToFilesThatExist) {
  const std::string link = R"(\]\(([A-Za-z0-9_/-]*[./][A-Za-z0-9_./-]+)\))";
  std::vector<std::string> missing;
  int checked = 0;
  for (const std::string& document : pages()) {
    const std::filesystem::path folder = std::filesystem::path(document).parent_path();
    for (const std::string& target : matches(read(document), link)) {
      ++checked;
      if (!std::filesystem::exists(root() / folder / target)) {
        missing.push_back(document + ": " + target);
      }
    }
  }
  EXPECT_GT(checked, 20);
  EXPECT_THAT(missing, IsEmpty());
}

TEST(Documents, NameOnlyCommandsThatDevHas) {
  const std::vector<std::string> lists = matches(read("dev"), "\ncommands=\\(([^)]*)\\)");
  ASSERT_EQ(lists.size(), 1U);
  std::istringstream words(lists[0]);
  std::set<std::string> commands = {"help"};
  for (std::string word; words >> word;) commands.insert(word);
  for (const std::string& document : pages()) {
    for (const std::string& name : matches(read(document), R"(\./dev ([a-z][a-z-]*))")) {
      EXPECT_THAT(commands, Contains(name)) << document;
    }
  }
}

TEST(Quotes, AreReadFromAPage) {
  const std::vector<Quote> found =
      quotes("From `a/b.h`:\n\n```cpp\nint x;\n```\n\n```cpp\ny\n```\n");
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].path, "a/b.h");
  EXPECT_EQ(found[0].code, "int x;\n");
  EXPECT_EQ(found[1].path, "");
  EXPECT_EQ(missing_part("int x;\n...\nint z;", "int  x; int y; int z;"), "");
  EXPECT_EQ(missing_part("int z;\n...\nint x;", "int x; int z;"), "int x;\n");
}

// In a tutorial, "From `path`:" stands before each block of code, and the code stands in that file.
TEST(Tutorials, QuoteTheSourcesAsTheyAre) {
  int checked = 0;
  for (const std::string& page : files("docs/tutorials", {".md"})) {
    for (const Quote& quote : quotes(read(page))) {
      ++checked;
      ASSERT_FALSE(quote.path.empty()) << page << " does not say where this is from:\n"
                                       << quote.code;
      EXPECT_EQ(missing_part(quote.code, read(quote.path)), "")
          << page << ": " << quote.path << " does not hold this";
    }
  }
  EXPECT_GE(checked, 10);
}

TEST(Functions, AreFoundWhereTheyAreDefined) {
  const std::string source =
      "int f(int x);\nint f(int x) { return g(x); }\n"
      "class A final : public B {\n  void run(const C& c) override { h(c); }\n};\n"
      "void A::go(D d) const { if (f(1)) { k(); } }\n";
  EXPECT_EQ(bodies_of("f", source), "{ return g(x); }");
  EXPECT_EQ(bodies_of("A::run", source), "{ h(c); }");
  EXPECT_EQ(bodies_of("A::run", source, "D"), "");
  EXPECT_EQ(bodies_of("A::go", source), "{ if (f(1)) { k(); } }");
  EXPECT_EQ(bodies_of("g", source), "");
  EXPECT_EQ(bodies_of("k", source), "");
}

/// A row of a table "| function | file | ...": `run` for `TopK` means run(..., TopK, ...).
/// A thread's first function is entered by no other one: its row says "in a thread of its own".
struct Station {
  std::string function, parameter, file;
  bool starts_thread = false;
};

std::vector<Station> stations(const std::string& page) {
  std::vector<Station> found;
  for (const auto& row : table(read(page), "function")) {
    if (row.at(0) == "function") continue;
    const std::vector<std::string> names = matches(row.at(0), "`([^`]+)`");
    const std::vector<std::string> file = matches(row.at(1), "`([^`]+)`");
    EXPECT_FALSE(names.empty()) << page << ": " << row.at(0);
    EXPECT_EQ(file.size(), 1U) << page << ": " << row.at(1);
    if (names.empty() || file.size() != 1) continue;
    const bool starts_thread = row.back().find("in a thread of its own") != std::string::npos;
    found.push_back({names[0], names.size() > 1 ? names[1] : "", file[0], starts_thread});
  }
  return found;
}

/// The name by which others call it: "Optimizer::step" is called as step(...).
std::string called_name(const std::string& function) {
  const std::size_t colons = function.rfind("::");
  return colons == std::string::npos ? function : function.substr(colons + 2);
}

// Each function of a table is defined in the file beside it, and a function above it in the table
// calls it: the page can be followed from top to bottom.
TEST(Tutorials, NameFunctionsWhereTheyAreDefinedAndEntered) {
  int checked = 0;
  for (const std::string& page : files("docs/tutorials", {".md"})) {
    std::string above;
    for (const Station& station : stations(page)) {
      ++checked;
      ASSERT_TRUE(std::filesystem::exists(root() / station.file)) << page << ": " << station.file;
      const std::string body = bodies_of(station.function, read(station.file), station.parameter);
      EXPECT_FALSE(body.empty()) << page << ": " << station.file << " does not define "
                                 << station.function;
      const std::string name = called_name(station.function);
      const bool unnamed = name == "operator()" || station.starts_thread;
      EXPECT_TRUE(above.empty() || unnamed || above.find(name) != std::string::npos)
          << page << ": nothing above enters " << station.function;
      above += body;
    }
  }
  EXPECT_GE(checked, 12);
}

TEST(Tutorials, FromConvBnActToTheRegisterTileItIsSixFunctionsInFiveFiles) {
  const std::vector<Station> way = stations("docs/tutorials/write-a-kernel.md");
  ASSERT_FALSE(way.empty());
  EXPECT_EQ(way.front().function, "conv_bn_act");
  EXPECT_EQ(way.back().function, "run_tile");
  std::set<std::string> passed;
  for (const Station& station : way) passed.insert(station.file);
  EXPECT_LE(way.size(), 6U);
  EXPECT_LE(passed.size(), 5U);
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

}  // namespace
}  // namespace hanok::structure
