// ctrl-C while `inspect` reads photographs: it ends with one sentence, and no file is written.
#include <csignal>
#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hanok/apps/cli/signals.h"
#include "hanok/apps/inspection/inspect.h"
#include "hanok/kernels/base/error.h"
#include "tests/apps/data_report/pictures.h"
#include "tests/apps/faces/made_up_finder.h"
#include "tests/apps/program.h"
#include "tests/support/interrupting_reporter.h"

namespace hanok::test {
namespace {

using ::testing::HasSubstr;

class InterruptedInspect : public ::testing::Test {
 protected:
  InterruptedInspect() { draw_photos(folder_ / "photos", {.classes = 2, .members = 6}); }
  ~InterruptedInspect() override { training::clear_interrupt(); }

  /// What the call throws.
  template <typename Call>
  static std::string message_of(const Call& call) {
    training::watch_for_interrupts();
    try {
      call();
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }

  TemporaryFolder folder_;
};

TEST_F(InterruptedInspect, DataStopsAtEveryStep) {
  for (const char* step : {"reading", "groups: none", "finding faces", "searched"}) {
    InterruptingReporter reporter(step, 1);
    EXPECT_EQ(message_of([&] {
                inspection::inspect_data({.data = folder_ / "photos",
                                          .report = folder_ / "page.html",
                                          .groups_out = folder_ / "groups.csv",
                                          .faces = true,
                                          .make_finder = make_made_up_finder},
                                         reporter);
              }),
              "interrupted; nothing was written")
        << step;
    training::clear_interrupt();
    EXPECT_FALSE(std::filesystem::exists(folder_ / "page.html")) << step;
    EXPECT_FALSE(std::filesystem::exists(folder_ / "groups.csv")) << step;
  }
}

TEST_F(InterruptedInspect, AugmentWritesNoSheet) {
  InterruptingReporter reporter("never", 1);
  EXPECT_EQ(message_of([&] {
              std::raise(SIGINT);
              inspection::inspect_augment(
                  {.source = folder_ / "photos", .out = folder_ / "sheet.png", .image_size = 32},
                  reporter);
            }),
            "interrupted; nothing was written");
  EXPECT_FALSE(std::filesystem::exists(folder_ / "sheet.png"));
}

TEST_F(InterruptedInspect, TheProgramEndsAsOthersDo) {
  write(folder_ / "large.png", data::encode_png(collage(1, 2000, 1500)));
  std::filesystem::create_directories(folder_ / "many/0");
  std::filesystem::create_directories(folder_ / "many/1");
  for (int i = 0; i < 2000; ++i) {
    std::filesystem::create_symlink(
        folder_ / "large.png",
        folder_ / ("many/" + std::to_string(i % 2) + "/" + std::to_string(i) + ".png"));
  }
  Process process("inspect", {"data", folder_ / "many", "--report", folder_ / "page.html"});
  ASSERT_TRUE(process.wait_for_output("2000 photographs"));
  process.send(SIGINT);
  const Outcome outcome = process.wait();
  EXPECT_EQ(outcome.exit_code, 1) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("inspect: interrupted; nothing was written\n"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "page.html"));
}

}  // namespace
}  // namespace hanok::test
