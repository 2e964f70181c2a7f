// The width of the inner loops' vectors is a parameter (kernels/cpu/isa/vector.h): all of them
// compile with 16 lanes too, which no shipped path has.
#include <gtest/gtest.h>

#include "tests/structure/source_tree.h"

namespace hanok::structure {
namespace {

TEST(VectorWidth, InnerLoopsCompileWithSixteenLanes) {
  const std::vector<std::string> sources = files("kernels/cpu/isa", {".cpp"});
  ASSERT_GT(sources.size(), 10U);
  std::string command = "cd '" + root().string() + "'";
  for (const std::string& source : sources) {
    command += " && " HANOK_CXX
               " -std=c++20 -Wall -Wextra -Werror -Wno-psabi -Wno-unknown-pragmas -fsyntax-only"
               " -Iinclude -DHANOK_ISA=wide -DHANOK_LANES=16 " +
               source;
  }
  const CommandResult result = run_command("(" + command + ")");
  EXPECT_EQ(result.status, 0) << result.output;
}

}  // namespace
}  // namespace hanok::structure
