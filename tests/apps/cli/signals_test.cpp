// What signals do to a program.
#include "hanok/apps/cli/signals.h"

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <unistd.h>

#include "hanok/apps/cli/errors.h"
#include "hanok/weights/mapped_file.h"
#include "tests/apps/program.h"

namespace hanok::test {
namespace {

using ::testing::ExitedWithCode;
using ::testing::KilledBySignal;

[[noreturn]] void raise_both(int first, int second) {
  training::watch_for_interrupts();
  std::raise(first);
  if (!training::interrupted()) std::exit(5);
  std::raise(second);
  std::exit(6);
}

TEST(Interrupts, ASecondOneOfAnyKindEndsAtOnce) {
  EXPECT_EXIT(raise_both(SIGINT, SIGINT), KilledBySignal(SIGINT), "");
  EXPECT_EXIT(raise_both(SIGINT, SIGTERM), KilledBySignal(SIGTERM), "");
  EXPECT_EXIT(raise_both(SIGHUP, SIGINT), KilledBySignal(SIGINT), "");
}

TEST(Interrupts, NohupIsLeftInPeace) {
  const auto hang_up = [] {
    std::signal(SIGHUP, SIG_IGN);
    training::watch_for_interrupts();
    std::raise(SIGHUP);
    std::exit(training::interrupted() ? 5 : 0);
  };
  EXPECT_EXIT(hang_up(), ExitedWithCode(0), "");
}

TEST(LostFiles, EndAProgramWithTheirName) {
  const TemporaryFolder folder;
  const std::string path = folder / "weights.pth";
  constexpr std::size_t kBytes = 1 << 20;
  std::ofstream(path) << std::string(kBytes, 'w');
  const auto read_cut_off = [&] {
    training::watch_for_lost_files("predict");
    const auto file = weights::MappedFile::open(path);
    if (::truncate(path.c_str(), 100) != 0) std::exit(5);
    std::exit(file->bytes()[kBytes - 1] == 'w' ? 6 : 7);
  };
  EXPECT_EXIT(read_cut_off(), ExitedWithCode(training::kFailure),
              "predict: .*weights.pth: was cut off or lost while it was read");
}

TEST(LostFiles, LeavesOtherErrorsOfTheBusAlone) {
  const auto fail = [] {
    training::watch_for_lost_files("predict");
    std::raise(SIGBUS);
    std::raise(SIGBUS);
  };
  EXPECT_EXIT(fail(), KilledBySignal(SIGBUS), "");
}

}  // namespace
}  // namespace hanok::test
