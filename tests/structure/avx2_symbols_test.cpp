// Objects compiled with -mavx2 must not define symbols that the linker could choose for code that
// runs on any CPU: no weak symbols, and nothing global outside their own namespace.
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sstream>

#include "tests/structure/source_tree.h"
#include "tests/support/paths.h"

namespace hanok::structure {
namespace {

using ::testing::IsEmpty;

/// Lines of `nm` output (demangled) that break the rule; the object's name comes first in each.
std::vector<std::string> offenders(const std::string& object, const std::string& nm_output) {
  std::vector<std::string> found;
  std::istringstream lines(nm_output);
  for (std::string line; std::getline(lines, line);) {
    // "0000000000000040 T hanok::cpu::avx2::kernels()", or without an address where undefined.
    const std::size_t at = line.find_first_not_of("0123456789abcdef ");
    if (at == std::string::npos || at + 2 > line.size()) continue;
    const char kind = line[at];
    const std::string name = line.substr(at + 2);
    const bool weak = std::string("wWvVu").find(kind) != std::string::npos;
    const bool global = std::string("TDBRGSC").find(kind) != std::string::npos;
    if (weak || (global && name.rfind("hanok::cpu::avx2::", 0) != 0)) {
      found.push_back(object + ": " + kind + " " + name);
    }
  }
  return found;
}

TEST(Avx2Objects, OffendersAreRecognised) {
  EXPECT_THAT(offenders("x.o",
                        "0000000000000000 T hanok::cpu::avx2::exp(float const*)\n"
                        "0000000000000010 t helper\n"
                        "                 U memcpy\n"),
              IsEmpty());
  EXPECT_EQ(offenders("x.o", "0000000000000000 W std::vector<float>::size() const\n").size(), 1U);
  EXPECT_EQ(offenders("x.o", "                 w __gmon_start__\n").size(), 1U);
  EXPECT_EQ(offenders("x.o", "0000000000000000 T hanok::cpu::gemm(float*)\n").size(), 1U);
}

TEST(Avx2Objects, HoldNoSymbolThatOtherCodeCouldPick) {
  std::ifstream list(hanok::test::binary_dir() + "/avx2_objects.txt");
  std::vector<std::string> found;
  int objects = 0;
  for (std::string object; std::getline(list, object);) {
    if (object.empty()) continue;
    ++objects;
    const CommandResult result = run_command("nm -C '" + object + "'");
    ASSERT_EQ(result.status, 0) << result.output;
    for (const std::string& line : offenders(object, result.output)) found.push_back(line);
  }
  EXPECT_GT(objects, 0);
  EXPECT_THAT(found, IsEmpty());
}

}  // namespace
}  // namespace hanok::structure
