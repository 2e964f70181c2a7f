// One process at a time works in a run folder.
#include "hanok/apps/run/run_lock.h"

#include <csignal>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <optional>
#include <sys/wait.h>
#include <unistd.h>

#include "hanok/apps/cli/errors.h"
#include "tests/apps/program.h"

namespace hanok::test {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using training::process_at_work;
using training::RunLock;

std::string refusal(const std::string& folder) {
  try {
    const RunLock lock(folder);
  } catch (const training::UsageError& error) {
    return error.what();
  }
  return "";
}

TEST(RunLock, KeepsOthersOutAndNamesItsProcess) {
  const TemporaryFolder folder;
  EXPECT_EQ(process_at_work(folder.path()), "");
  {
    const RunLock lock(folder.path());
    const std::string number = std::to_string(::getpid());
    EXPECT_THAT(refusal(folder.path()),
                AllOf(HasSubstr(folder.path()), HasSubstr("process " + number), HasSubstr("-INT")));
    EXPECT_THAT(process_at_work(folder.path()), HasSubstr("process " + number + " on "));
    EXPECT_TRUE(std::filesystem::exists(folder / "run.lock"));
  }
  EXPECT_EQ(process_at_work(folder.path()), "");
  EXPECT_FALSE(std::filesystem::exists(folder / "run.lock"));
  EXPECT_EQ(refusal(folder.path()), "");
}

TEST(RunLock, OfAKilledProcessIsTakenOverWithItsRecords) {
  const TemporaryFolder folder;
  const pid_t child = fork();
  if (child == 0) {
    RunLock lock(folder.path());
    lock.record("folds.csv");
    lock.record("data");
    kill(::getpid(), SIGKILL);
  }
  waitpid(child, nullptr, 0);
  EXPECT_TRUE(std::filesystem::exists(folder / "run.lock"));
  EXPECT_EQ(process_at_work(folder.path()), "");
  {
    RunLock lock(folder.path());
    EXPECT_THAT(lock.left_behind(), ElementsAre("folds.csv", "data"));
    lock.forget_records();
    EXPECT_THAT(read_text(folder / "run.lock"), ::testing::Not(HasSubstr("made")));
  }
  const RunLock next(folder.path());
  EXPECT_THAT(next.left_behind(), IsEmpty());
}

TEST(RunLock, AFileOfAnotherProcessThatNobodyHoldsIsNoObstacle) {
  const TemporaryFolder folder;
  write_text(folder / "run.lock", "process 1\nhost elsewhere\n");
  EXPECT_EQ(process_at_work(folder.path()), "");
  EXPECT_EQ(refusal(folder.path()), "");
}

TEST(RunLock, FollowsNoLink) {
  const TemporaryFolder folder;
  write_text(folder / "mine", "text");
  std::filesystem::create_symlink(folder / "mine", folder / "run.lock");
  EXPECT_THROW(RunLock lock(folder.path()), IoError);
  EXPECT_EQ(read_text(folder / "mine"), "text");
}

}  // namespace
}  // namespace hanok::test
