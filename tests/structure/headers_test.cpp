// Each public header compiles alone: whoever includes it needs no other header first.
#include <cctype>
#include <fstream>
#include <gtest/gtest.h>

#include "tests/structure/source_tree.h"

namespace hanok::structure {
namespace {

CommandResult compile_alone(const std::string& header) {
  return run_command("echo '#include \"" + header +
                     "\"' | " HANOK_CXX
                     " -std=c++20 -Wall -Wextra -Wpedantic -Werror -Wno-unknown-pragmas"
                     " -fsyntax-only -x c++ -I '" +
                     root().string() +
                     "/include"
                     // Stands in for CUDA's own headers, which may not be there.
                     "' -I '" +
                     root().string() + "/tests/cuda/emulator/include' -");
}

class PublicHeader : public testing::TestWithParam<std::string> {};

TEST_P(PublicHeader, CompilesAlone) {
  const CommandResult result = compile_alone("hanok/" + GetParam());
  EXPECT_EQ(result.status, 0) << result.output;
}

INSTANTIATE_TEST_SUITE_P(All, PublicHeader, testing::ValuesIn(public_headers()),
                         [](const auto& info) {
                           std::string name = info.param;
                           for (char& c : name) {
                             if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
                           }
                           return name;
                         });

TEST(PublicHeaders, AMissingIncludeIsFound) {
  const std::string name = testing::TempDir() + "/lacks_string.h";
  std::ofstream(name) << "#pragma once\ninline std::string greeting();\n";
  EXPECT_NE(compile_alone(name).status, 0);
}

TEST(PublicHeaders, StartWithACommentAndPragmaOnce) {
  for (const std::string& header : public_headers()) {
    const std::string text = read(header);
    EXPECT_EQ(text.rfind("//", 0), 0U) << header << ": says nothing about what it is for";
    EXPECT_NE(text.find("#pragma once"), std::string::npos) << header;
  }
}

}  // namespace
}  // namespace hanok::structure
