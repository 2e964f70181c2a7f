// A folder becomes a run whole, or is left as it was found.
#include "hanok/apps/run/new_run.h"

#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hanok/apps/cli/errors.h"
#include "tests/apps/program.h"

namespace hanok::test {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using training::NewRun;

class NewRunTest : public ::testing::Test {
 protected:
  std::string refusal(const std::string& out) {
    try {
      const NewRun run(out);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
  /// Names in the test's folder, with those below it.
  std::vector<std::string> everything() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_.path())) {
      names.push_back(entry.path().lexically_relative(folder_.path()).string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  TemporaryFolder folder_;
};

TEST_F(NewRunTest, ThatIsNotKeptLeavesNothing) {
  {
    NewRun run(folder_ / "a/b/c/");
    write_text(run.make("folds.csv"), "path");
    std::filesystem::create_directory(run.make("data"));
    write_text(folder_ / "a/b/c/data/face.png", "x");
    EXPECT_TRUE(std::filesystem::exists(folder_ / "a/b/c/run.lock"));
  }
  EXPECT_THAT(everything(), IsEmpty());
}

TEST_F(NewRunTest, LeavesWhatIsNotItsOwn) {
  std::filesystem::create_directory(folder_ / "mine");
  write_text(folder_ / "mine/notes.txt", "x");
  {
    NewRun run(folder_ / "mine");
    write_text(run.make("folds.csv"), "path");
  }
  EXPECT_THAT(everything(), ElementsAre("mine", "mine/notes.txt"));
  {
    NewRun run(folder_ / "empty/below");
    write_text(folder_ / "empty/theirs", "x");  // by somebody else, in the meantime
  }
  EXPECT_THAT(everything(), ElementsAre("empty", "empty/theirs", "mine", "mine/notes.txt"));
}

TEST_F(NewRunTest, ThatIsKeptStays) {
  {
    NewRun run(folder_ / "run");
    write_text(run.make("folds.csv"), "path");
    write_text(run.make("config.toml"), "");
    run.keep();
  }
  EXPECT_THAT(everything(), ElementsAre("run", "run/config.toml", "run/folds.csv"));
  EXPECT_THAT(refusal(folder_ / "run"), HasSubstr("already holds a run"));
}

TEST_F(NewRunTest, ThatFailsBeforeItsFirstCheckpointCanBeDiscarded) {
  const auto fail = [](const std::string& out, const std::string& saved) {
    NewRun run(out);
    write_text(run.make("folds.csv"), "path");
    write_text(run.make("config.toml"), "");
    run.keep();
    write_text(out + "/metrics.csv", "x");
    std::filesystem::create_directories(out + "/fold_0/last");
    if (!saved.empty()) write_text(out + "/" + saved, "x");
    run.discard_unless_saved();
  };
  fail(folder_ / "run", "");
  EXPECT_THAT(everything(), IsEmpty());
  fail(folder_ / "run", "fold_0/last/state.safetensors");
  EXPECT_TRUE(std::filesystem::exists(folder_ / "run/config.toml"));
}

TEST_F(NewRunTest, OverwritesNothing) {
  for (const char* name : {"folds.csv", "predictions.csv", "summary.json", "metrics.csv", "fold_3",
                           "config.toml", "profile.txt"}) {
    const std::string out = folder_ / (std::string("with_") + name);
    std::filesystem::create_directory(out);
    write_text(out + "/" + name, "mine");
    EXPECT_THAT(refusal(out), AllOf(HasSubstr("--out"), HasSubstr(name), HasSubstr("overwrite")));
    EXPECT_EQ(read_text(out + "/" + name), "mine");
    EXPECT_FALSE(std::filesystem::exists(out + "/run.lock"));
  }
  std::filesystem::create_directory(folder_ / "other");
  write_text(folder_ / "other/fold_x", "mine");
  EXPECT_EQ(refusal(folder_ / "other"), "");
}

TEST_F(NewRunTest, ClearsAwayWhatAKilledStartHasRecordedAndOnlyThat) {
  std::filesystem::create_directories(folder_ / "run/data");
  write_text(folder_ / "run/run.lock", "process 1\nhost h\nmade data\nmade folds.csv\n");
  write_text(folder_ / "run/folds.csv", "half");
  EXPECT_EQ(refusal(folder_ / "run"), "");
  EXPECT_FALSE(std::filesystem::exists(folder_ / "run/folds.csv"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "run/data"));
  // Killed before it made anything: folds.csv is the user's.
  write_text(folder_ / "run/run.lock", "process 1\nhost h\n");
  write_text(folder_ / "run/folds.csv", "mine");
  EXPECT_THAT(refusal(folder_ / "run"), HasSubstr("overwrite"));
  EXPECT_EQ(read_text(folder_ / "run/folds.csv"), "mine");
}

TEST_F(NewRunTest, SaysWhyAPlaceIsNone) {
  write_text(folder_ / "file", "x");
  EXPECT_THAT(refusal(folder_ / "file"), AllOf(HasSubstr("--out"), HasSubstr("is no folder")));
  EXPECT_THAT(refusal(folder_ / "file/below/run"), HasSubstr("file"));
  std::filesystem::create_symlink(folder_ / "gone", folder_ / "link");
  EXPECT_THAT(refusal(folder_ / "link"),
              AllOf(HasSubstr("is a link to"), HasSubstr("gone"), HasSubstr("does not exist")));
  EXPECT_THAT(refusal(folder_ / "link/run"), HasSubstr("link"));
  std::filesystem::create_symlink(folder_ / "loop", folder_ / "loop");
  EXPECT_THAT(refusal(folder_ / "loop"), HasSubstr("symbolic links"));
  EXPECT_THAT(refusal(folder_ / std::string(300, 'x')), HasSubstr("File name too long"));
  if (!std::filesystem::exists("/proc/self")) GTEST_SKIP() << "this system has no /proc";
  EXPECT_THAT(refusal("/proc/run"), HasSubstr("--out: /proc/run"));
}

TEST_F(NewRunTest, GoesWhereALinkLeads) {
  std::filesystem::create_directory(folder_ / "disk");
  std::filesystem::create_symlink(folder_ / "disk", folder_ / "link");
  { const NewRun run(folder_ / "link/../disk/a"); }
  EXPECT_THAT(everything(), ElementsAre("disk", "link"));
}

}  // namespace
}  // namespace hanok::test
