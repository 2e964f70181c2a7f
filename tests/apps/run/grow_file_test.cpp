#include <filesystem>
#include <gtest/gtest.h>

#include "hanok/apps/run/files.h"
#include "hanok/kernels/base/error.h"
#include "tests/apps/program.h"

namespace hanok::training {
namespace {

TEST(GrowFile, AppendsToABeginningAndReplacesAnythingElse) {
  const test::TemporaryFolder folder;
  const std::string path = folder / "file", second = folder / "second name";
  grow_file(path, "one");
  EXPECT_EQ(read_file(path), "one");
  // A second name of the same file sees what is appended, and not what replaces it.
  std::filesystem::create_hard_link(path, second);
  grow_file(path, "one, two");
  EXPECT_EQ(read_file(second), "one, two");
  grow_file(path, "one, two");
  EXPECT_EQ(read_file(second), "one, two");
  grow_file(path, "one");
  EXPECT_EQ(read_file(path), "one");
  EXPECT_EQ(read_file(second), "one, two");
  grow_file(path, "other");
  EXPECT_EQ(read_file(path), "other");
  EXPECT_THROW(grow_file(folder / "missing/file", "x"), IoError);
}

}  // namespace
}  // namespace hanok::training
