// What the system says about files reaches the user as the file's name and the cause.
#include "hanok/apps/run/files.h"

#include <cstdlib>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hanok/kernels/base/error.h"
#include "hanok/weights/weights.h"
#include "tests/apps/program.h"

namespace hanok::test {
namespace {

using namespace training;  // NOLINT(google-build-using-namespace)
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

/// The text of the IoError that `action` must throw.
template <typename Action>
std::string io_error(const Action& action) {
  try {
    action();
  } catch (const IoError& error) {
    return error.what();
  }
  ADD_FAILURE() << "no IoError";
  return "";
}

class Files : public ::testing::Test {
 protected:
  /// A link that leads to itself.
  std::string loop() {
    std::error_code ignored;
    std::filesystem::create_symlink(folder_ / "loop", folder_ / "loop", ignored);
    return folder_ / "loop";
  }
  std::string long_name() const { return folder_ / std::string(300, 'x'); }
  std::string pipe() {
    mkfifo((folder_ / "pipe").c_str(), 0600);
    return folder_ / "pipe";
  }

  TemporaryFolder folder_;
};

TEST_F(Files, ExistsThrowsWhereItCannotTell) {
  EXPECT_FALSE(exists(folder_ / "nothing"));
  EXPECT_FALSE(exists(folder_ / "nothing/below"));
  write_text(folder_ / "file", "x");
  EXPECT_TRUE(exists(folder_ / "file"));
  EXPECT_FALSE(exists(folder_ / "file/below"));
  std::filesystem::create_symlink(folder_ / "nothing", folder_ / "dangling");
  EXPECT_FALSE(exists(folder_ / "dangling"));
  EXPECT_THAT(
      io_error([&] { exists(loop()); }),
      AllOf(HasSubstr("loop: "), HasSubstr("symbolic links"), Not(HasSubstr("filesystem"))));
  EXPECT_THAT(io_error([&] { exists(long_name()); }), HasSubstr("File name too long"));
}

TEST_F(Files, ReadingSaysWhyItFails) {
  EXPECT_THAT(io_error([&] { read_file(folder_ / "nothing"); }), HasSubstr("no such file"));
  EXPECT_THAT(io_error([&] { read_file(folder_.path()); }), HasSubstr("it is a folder"));
  EXPECT_THAT(io_error([&] { read_file(loop()); }), HasSubstr("symbolic links"));
  EXPECT_THAT(io_error([&] { read_file(long_name()); }), HasSubstr("File name too long"));
  // The start of a process's memory cannot be read: an error after the file was opened.
  EXPECT_THAT(io_error([&] { read_file("/proc/self/mem"); }),
              AllOf(HasSubstr("Input/output error"), Not(HasSubstr("basic_filebuf"))));
  write_text(folder_ / "closed", "x");
  std::filesystem::permissions(folder_ / "closed", std::filesystem::perms::none);
  if (::geteuid() == 0) GTEST_SKIP() << "root may read every file";
  EXPECT_THAT(io_error([&] { read_file(folder_ / "closed"); }), HasSubstr("Permission denied"));
  EXPECT_THAT(io_error([&] { check_can_be_read(folder_ / "closed"); }),
              HasSubstr("Permission denied"));
}

TEST_F(Files, AFileToBeMappedIsARegularFileThatHoldsSomething) {
  write_text(folder_ / "empty", "");
  EXPECT_THAT(io_error([&] { check_can_be_mapped(folder_ / "empty"); }), HasSubstr("it is empty"));
  EXPECT_THAT(io_error([&] { check_can_be_mapped(pipe()); }), HasSubstr("not a regular file"));
  EXPECT_THAT(io_error([&] { check_can_be_mapped(folder_.path()); }), HasSubstr("it is a folder"));
  EXPECT_NO_THROW(check_can_be_read(pipe()));
  // Opening it would wait for a writer for ever.
  EXPECT_THAT(io_error([&] { weights::load(pipe()); }), HasSubstr("not a regular file"));
}

TEST_F(Files, WritingIsTriedBeforeTheWork) {
  const auto reason = [](const std::string& path) {
    return io_error([&path] { check_can_be_written(path); });
  };
  EXPECT_NO_THROW(check_can_be_written(folder_ / "new"));
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path())) << "the try is removed again";
  EXPECT_THAT(reason(folder_ / "nowhere/new"), HasSubstr("there is no folder"));
  write_text(folder_ / "file", "x");
  EXPECT_THAT(reason(folder_ / "file/new"),
              AnyOf(HasSubstr("is no folder"), HasSubstr("Not a directory")));
  EXPECT_THAT(reason(long_name()), HasSubstr("File name too long"));
  EXPECT_THAT(reason(loop()), HasSubstr("symbolic links"));
  EXPECT_THAT(reason(folder_.path()), HasSubstr("it is a folder"));
  std::filesystem::create_symlink(folder_ / "nowhere/new", folder_ / "dangling");
  EXPECT_THAT(reason(folder_ / "dangling"), HasSubstr("there is no folder"));
  EXPECT_THAT(io_error([&] { write_file(loop(), "x"); }), HasSubstr("symbolic links"));
  // Through a link to what does not exist yet.
  std::filesystem::create_directory(folder_ / "disk");
  std::filesystem::create_symlink("disk/new", folder_ / "link");
  EXPECT_NO_THROW(check_can_be_written(folder_ / "link"));
  write_file(folder_ / "link", "text");
  EXPECT_EQ(read_text(folder_ / "disk/new"), "text");
  EXPECT_TRUE(std::filesystem::is_symlink(folder_ / "link"));
  if (!std::filesystem::exists("/proc/self")) GTEST_SKIP() << "this system has no /proc";
  // Nobody can make a file there, whatever the folder's permissions say.
  EXPECT_THAT(reason("/proc/new"), HasSubstr("cannot be written"));
}

TEST_F(Files, AnAbsolutePathFollowsLinksBeforeItClimbs) {
  std::filesystem::create_directories(folder_ / "disk/deep");
  std::filesystem::create_directory_symlink(folder_ / "disk/deep", folder_ / "link");
  write_text(folder_ / "disk/file", "x");
  EXPECT_TRUE(
      std::filesystem::equivalent(absolute_path(folder_ / "link/../file"), folder_ / "disk/file"));
  EXPECT_EQ(absolute_path(folder_ / "link/./file"), folder_ / "link/file");
}

TEST_F(Files, TheTemporaryFolderMustBeOne) {
  const char* before = std::getenv("TMPDIR");
  const std::string saved = before == nullptr ? "" : before;
  const auto reason = [](const std::string& value) {
    setenv("TMPDIR", value.c_str(), 1);
    return io_error([] { temporary_folder(); });
  };
  EXPECT_THAT(reason(folder_ / "nowhere"),
              AllOf(HasSubstr("TMPDIR"), HasSubstr("nowhere"), HasSubstr("no such folder")));
  write_text(folder_ / "file", "x");
  EXPECT_THAT(reason(folder_ / "file"), HasSubstr("no folder"));
  setenv("TMPDIR", folder_.path().c_str(), 1);
  EXPECT_EQ(temporary_folder(), folder_.path());
  if (before == nullptr) {
    unsetenv("TMPDIR");
  } else {
    setenv("TMPDIR", saved.c_str(), 1);
  }
}

TEST_F(Files, AFoldersPathEndsWithItsName) {
  EXPECT_EQ(training::absolute_path("/runs/first/"), "/runs/first");
  EXPECT_EQ(training::absolute_path("/"), "/");
}

}  // namespace
}  // namespace hanok::test
