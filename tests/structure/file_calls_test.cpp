// Calls of std::filesystem that throw would show the user the standard library's text: sources call
// the overloads that take an error_code, and say themselves which file failed and why.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <regex>
#include <string>
#include <vector>

#include "tests/structure/source_tree.h"

namespace hanok::structure {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

/// The arguments of the call whose opening parenthesis is at `open`.
std::string arguments(const std::string& code, std::size_t open) {
  int depth = 0;
  for (std::size_t i = open; i < code.size(); ++i) {
    if (code[i] == '(') ++depth;
    if (code[i] == ')' && --depth == 0) return code.substr(open + 1, i - open - 1);
  }
  return "";
}

/// "exists(path)" for each call that throws.
std::vector<std::string> throwing_calls(const std::string& text) {
  static const std::regex comment(R"(//[^\n]*)");
  static const std::regex call(
      R"((?:fs|std::filesystem)::(exists|is_\w+|status|symlink_status|file_size|space|absolute|)"
      R"(canonical|weakly_canonical|relative|proximate|equivalent|read_symlink|create_\w+|remove|)"
      R"(remove_all|rename|copy\w*|resize_file|permissions|current_path|temp_directory_path|)"
      R"(last_write_time|(?:recursive_)?directory_iterator)(?: \w+)?\()");
  const std::string code = std::regex_replace(text, comment, "");
  std::vector<std::string> found;
  for (std::sregex_iterator i(code.begin(), code.end(), call), end; i != end; ++i) {
    const auto open = static_cast<std::size_t>(i->position() + i->length()) - 1;
    const std::string given = arguments(code, open);
    const bool has_error = std::regex_search(given, std::regex(R"(\b(error|ignored|failed)$)"));
    const bool of_status = given == "status" || given.find("status(") != std::string::npos;
    const bool is_end = given.empty() && i->str(1).find("iterator") != std::string::npos;
    if (!has_error && !of_status && !is_end) found.push_back(i->str(1) + "(" + given + ")");
  }
  return found;
}

TEST(FileCalls, ThoseThatThrowAreFound) {
  EXPECT_THAT(throwing_calls("if (fs::exists(path)) x();"), ElementsAre("exists(path)"));
  EXPECT_THAT(throwing_calls("auto d = std::filesystem::temp_directory_path();"),
              ElementsAre("temp_directory_path()"));
  EXPECT_THAT(throwing_calls("for (auto& e : fs::directory_iterator(f(x))) {}"),
              ElementsAre("directory_iterator(f(x))"));
  EXPECT_THAT(throwing_calls("fs::recursive_directory_iterator it(folder); fs::path(x);"),
              ElementsAre("recursive_directory_iterator(folder)"));
  EXPECT_THAT(throwing_calls("fs::exists(a, error); fs::exists(status); fs::remove(b, ignored);"
                             "fs::directory_iterator it(f, error), end; fs::directory_iterator();"),
              IsEmpty());
}

TEST(FileCalls, NoRoomMakesOne) {
  std::vector<std::string> found;
  int checked = 0;
  for (const std::string& room : rooms()) {
    for (const std::string& file : files(room, {".h", ".cpp"})) {
      ++checked;
      for (const std::string& call : throwing_calls(read(file))) {
        found.push_back(file + ": " + call);
      }
    }
  }
  EXPECT_GT(checked, 100);
  EXPECT_THAT(found, IsEmpty());
}

}  // namespace
}  // namespace hanok::structure
