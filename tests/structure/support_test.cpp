// docs/support.md lists what the sources have: environment variables, ops, and the primitives that
// ops run.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <set>

#include "tests/structure/pages.h"
#include "tests/structure/primitives.h"
#include "tests/structure/source_tree.h"

namespace hanok::structure {
namespace {

using ::testing::Contains;

TEST(Support, ListsTheEnvironmentVariables) {
  std::set<std::string> used;
  for (const std::string& room : rooms()) {
    for (const std::string& file : files(room, {".cpp"})) {
      for (const std::string& name : matches(read(file), R"rx("(HANOK_[A-Z0-9_]+)")rx")) {
        used.insert(name);
      }
    }
  }
  std::set<std::string> listed;
  for (const auto& row : table(read("docs/support.md"), "variable")) {
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

TEST(Support, OpTableMatchesTheSources) {
  const auto rows = table(read("docs/support.md"), "op");
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
