// Public headers, those that are installed: each compiles alone and without a warning, none needs a
// private one, and options can be given by name.
#include <algorithm>
#include <cctype>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <regex>
#include <set>
#include <sstream>
#include <tuple>

#include "tests/structure/source_tree.h"
#include "tests/support/paths.h"

namespace hanok::structure {
namespace {

using ::testing::IsEmpty;

CommandResult compile_alone(const std::string& compiler, const std::string& header) {
  return run_command("echo '#include \"" + header + "\"' | " + compiler +
                     " -std=c++20 -Wall -Wextra -Wpedantic -Wconversion -Werror -fsyntax-only"
                     " -x c++ -I '" +
                     root().string() + "/include' -I '" + hanok::test::binary_dir() +
                     "/include' -");
}

bool is_there(const std::string& compiler) {
  return run_command(compiler + " --version").status == 0;
}

using CompilerAndHeader = std::tuple<std::string, std::string>;
class PublicHeader : public testing::TestWithParam<CompilerAndHeader> {};

TEST_P(PublicHeader, CompilesAlone) {
  const auto& [compiler, header] = GetParam();
  if (!is_there(compiler)) GTEST_SKIP() << compiler << " is not here: " << header << " unchecked";
  const CommandResult result = compile_alone(compiler, "hanok/" + header);
  EXPECT_EQ(result.status, 0) << result.output;
}

std::vector<std::string> installed_headers() {
  std::vector<std::string> headers = public_headers();
  headers.insert(headers.end(), {"hanok.h", "version.h"});
  return headers;
}

INSTANTIATE_TEST_SUITE_P(All, PublicHeader,
                         testing::Combine(testing::Values("g++", "clang++"),
                                          testing::ValuesIn(installed_headers())),
                         [](const auto& info) {
                           std::string name =
                               (std::get<0>(info.param) == "g++" ? "Gcc_" : "Clang_") +
                               std::get<1>(info.param);
                           for (char& c : name) {
                             if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
                           }
                           return name;
                         });

TEST(PublicHeaders, AMissingIncludeIsFound) {
  const std::string name = testing::TempDir() + "/lacks_string.h";
  std::ofstream(name) << "#pragma once\ninline std::string greeting();\n";
  EXPECT_NE(compile_alone(HANOK_CXX, name).status, 0);
}

TEST(PublicHeaders, ALossyConversionIsFound) {
  const std::string name = testing::TempDir() + "/converts.h";
  std::ofstream(name) << "#pragma once\ninline float half(double x) { return x / 2; }\n";
  EXPECT_NE(compile_alone(HANOK_CXX, name).status, 0);
}

TEST(PublicHeaders, StartWithACommentAndPragmaOnce) {
  for (const std::string& header : public_headers()) {
    const std::string text = read(header);
    EXPECT_EQ(text.rfind("//", 0), 0U) << header << ": says nothing about what it is for";
    EXPECT_NE(text.find("#pragma once"), std::string::npos) << header;
  }
}

// A shared library hides what is declared outside of these two lines.
TEST(PublicHeaders, ExportWhatTheyDeclare) {
  const std::regex exported(R"(#pragma GCC visibility push\(default\)\nnamespace hanok)");
  const std::string end = "#pragma GCC visibility pop\n";
  for (const std::string& header : public_headers()) {
    const std::string text = read(header);
    if (text.find("\nnamespace hanok") == std::string::npos) continue;  // macros only
    EXPECT_TRUE(std::regex_search(text, exported)) << header << ": exports nothing";
    EXPECT_TRUE(text.size() > end.size() && text.substr(text.size() - end.size()) == end)
        << header << ": does not end with " << end;
  }
}

std::set<std::string> public_set() {
  const std::vector<std::string> headers = public_headers();
  return {headers.begin(), headers.end()};
}

TEST(PublicHeaders, IncludePublicHeadersOnly) {
  const std::set<std::string> known = public_set();
  std::vector<std::string> objections;
  for (const std::string& header : known) {
    for (const std::string& quoted : includes(read(header)).quoted) {
      if (known.count(included_file(quoted)) == 0) {
        objections.push_back(header + " includes " + quoted + ", which is not installed");
      }
    }
  }
  EXPECT_GT(known.size(), 50U);
  EXPECT_THAT(objections, IsEmpty());
}

// What one room reads of another is that room's interface.
TEST(PublicHeaders, AreAllThatOtherRoomsInclude) {
  const std::set<std::pair<std::string, std::string>> allowed = {
      // The engine makes the backend; users get it from engine/runtime.h.
      {"engine/runtime.cpp", "kernels/cpu/cpu_backend.h"},
      // What --autotune and --profile measure is the kernels' own.
      {"apps/preflight/autotune.h", "kernels/cpu/conv2d/choices.h"},
      {"apps/profiling/profile.cpp", "kernels/cpu/roofline.h"},
      // `inspect model` draws the graph's saved tensors, and prints the choice of algorithms.
      {"apps/inspection/model.cpp", "engine/tensor_impl.h"},
      {"apps/inspection/model.cpp", "kernels/cpu/conv2d/choose.h"},
  };
  const std::set<std::string> known = public_set();
  std::vector<std::string> objections;
  for (const std::string& room : rooms()) {
    for (const std::string& file : files(room)) {
      for (const std::string& quoted : includes(read(file)).quoted) {
        const std::string included = included_file(quoted);
        const bool own = room_of(included) == room;
        if (own || known.count(included) > 0 || allowed.count({file, included}) > 0) continue;
        objections.push_back(file + " includes " + included + ", which is private to its room");
      }
    }
  }
  EXPECT_THAT(objections, IsEmpty());
}

TEST(PublicHeaders, TheUmbrellaBringsEngineNnDataAndWeights) {
  std::set<std::string> brought;
  for (const std::string& quoted : includes(read("include/hanok/hanok.h")).quoted) {
    brought.insert(included_file(quoted));
  }
  std::set<std::string> expected = {"version.h"};
  for (const std::string& header : public_headers()) {
    const std::string room = room_of(header);
    if (room != "kernels" && room != "apps") expected.insert(header);
  }
  EXPECT_EQ(brought, expected);
}

/// Members without a default value of structs whose fields a user gives by name; -Wextra warns of
/// each that such a user leaves out.
std::vector<std::string> without_default(const std::string& text) {
  static const std::regex head(
      R"(^\s*struct (\w*(Options|Arguments|Shape|Rule|BatchNormState|ConvNorm|Preprocessing))\b)"
      R"([^;}]*\{)");
  static const std::regex member(R"(^\s*[\w:<>, ]+[\w>]\s+(\w+\s*,\s*)*\w+\s*;)");
  std::vector<std::string> found;
  std::istringstream lines(text);
  std::string name;
  bool continued = false;  // the line before ends within a declaration
  for (std::string line; std::getline(lines, line);) {
    const std::string code = line.substr(0, line.find("//"));
    std::smatch match;
    if (std::regex_search(code, match, head)) {
      name = match[1];
    } else if (code.find("};") != std::string::npos &&
               code.find_first_not_of(" }") == code.find(';')) {
      name.clear();
    } else if (!name.empty() && !continued && std::regex_search(code, member) &&
               code.find("return ") == std::string::npos) {
      found.push_back(name + ": " + line.substr(line.find_first_not_of(' ')));
    }
    const std::size_t last = code.find_last_not_of(' ');
    continued = last != std::string::npos && (code[last] == '=' || code[last] == ',');
  }
  return found;
}

TEST(PublicHeaders, EveryFieldOfOptionsHasADefault) {
  EXPECT_EQ(without_default("struct AOptions {\n  int x = 0;\n  Tensor y;  // why\n};\n"),
            std::vector<std::string>{"AOptions: Tensor y;  // why"});
  EXPECT_THAT(without_default("struct AOptions {\n  std::vector<int> x{};\n  int f() const;\n};\n"),
              IsEmpty());
  for (const std::string& header : public_headers()) {
    EXPECT_THAT(without_default(read(header)), IsEmpty()) << header;
  }
}

}  // namespace
}  // namespace hanok::structure
