// The arithmetic of bench's scripts, in Python (bench_scripts.py).
#include <cstdlib>
#include <gtest/gtest.h>
#include <string>

#include "tests/apps/program.h"
#include "tests/support/paths.h"

namespace hanok::test {
namespace {

TEST(BenchScripts, Arithmetic) {
  if (std::system("python3 --version > /dev/null 2>&1") != 0) GTEST_SKIP() << "no python3";
  const TemporaryFolder folder;
  const std::string log = folder / "log";
  const std::string root = source_dir();
  const std::string command = "PYTHONDONTWRITEBYTECODE=1 python3 '" + root +
                              "/tests/apps/programs/bench_scripts.py' '" + root + "' > '" + log +
                              "' 2>&1";
  EXPECT_EQ(std::system(command.c_str()), 0) << read_text(log);
}

}  // namespace
}  // namespace hanok::test
