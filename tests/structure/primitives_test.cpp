// Each primitive that is described is in the list that makes backends, is run by the engine and has
// a test of its own, and each kind of elementwise op has one too: what is missing is named.
#include "tests/structure/primitives.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <regex>
#include <set>

#include "tests/structure/source_tree.h"

namespace hanok::structure {
namespace {

using ::testing::IsEmpty;

std::string all_of(const std::string& folder, const std::vector<std::string>& extensions) {
  std::string text;
  for (const std::string& file : files(folder, extensions)) text += read(file);
  return text;
}

/// Those of the primitives whose descriptions `text` never names.
std::vector<std::string> missing_in(const std::string& text) {
  std::vector<std::string> missing;
  for (const auto& [description, name] : primitives()) {
    if (!has_word(text, description)) missing.push_back(description + " (" + name + ")");
  }
  return missing;
}

TEST(Primitives, AreFoundByTheirDescriptions) {
  EXPECT_GT(primitives().size(), 40U);
  EXPECT_EQ(primitives().at("TopK"), "topk");
  EXPECT_TRUE(has_word("a TopK{x}", "TopK"));
  EXPECT_FALSE(has_word("a TopKernel", "TopK"));
}

TEST(Primitives, AreAllInTheListOfTheBackend) {
  const std::string text = read("kernels/backend.h");
  const std::size_t begin = text.find("using Primitives =");
  ASSERT_NE(begin, std::string::npos);
  EXPECT_THAT(missing_in(text.substr(begin, text.find(";", begin) - begin)), IsEmpty());
}

TEST(Primitives, HaveNamesOfTheirOwn) {
  std::set<std::string> names;
  for (const auto& [description, name] : primitives()) {
    EXPECT_TRUE(names.insert(name).second) << name << " is the name of two primitives";
  }
}

TEST(Primitives, EachHasATestOfItsKernel) {
  EXPECT_THAT(missing_in(all_of("tests/kernels", {".h", ".cpp"})), IsEmpty());
}

TEST(Primitives, EachKindOfElementwiseOpAndReductionHasATestOfItsKernel) {
  const std::string kinds = read("kernels/op_kind.h");
  const std::string tests = all_of("tests/kernels", {".cpp"});
  int checked = 0;
  for (const char* name : {"UnaryOp", "BinaryOp", "ReduceOp"}) {
    std::smatch list;
    ASSERT_TRUE(std::regex_search(
        kinds, list, std::regex(std::string("enum class ") + name + R"( \{([^}]*)\};)")))
        << name;
    const std::string body = std::regex_replace(list[1].str(), std::regex("//[^\n]*"), "");
    const std::regex word("\\w+");
    for (std::sregex_iterator it(body.begin(), body.end(), word), end; it != end; ++it) {
      ++checked;
      const std::string kind = std::string(name) + "::" + it->str();
      EXPECT_TRUE(has_word(tests, kind)) << kind << " has no test in tests/kernels";
    }
  }
  EXPECT_GE(checked, 29);
}

}  // namespace
}  // namespace hanok::structure
