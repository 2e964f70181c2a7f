// What a run was computed with, and what a resume says of changes.
#include "hanok/apps/run/environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hanok/apps/run/files.h"
#include "hanok/kernels/base/error.h"
#include "tests/apps/program.h"

namespace hanok::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using training::Environment;

Environment some() {
  return {.hanok = "1.2.3",
          .kernels = "avx2",
          .device = "cpu",
          .image_libraries = {{"libpng", "1.6.39"}},
          .compiler = "g++ 12.2.0",
          .cpu = "a CPU",
          .cpu_features = {"avx", "avx2"}};
}

TEST(EnvironmentOf, KnowsKernelsCompilerCpuAndLibraries) {
  const Environment here = training::environment_of(Device::cpu());
  EXPECT_THAT(here.kernels, ::testing::AnyOf("avx2", "avx512", "portable"));
  EXPECT_THAT(here.compiler, ::testing::MatchesRegex("(g\\+\\+|clang) [0-9.]+"));
  EXPECT_THAT(here.hanok, ::testing::MatchesRegex("[0-9]+\\.[0-9]+\\.[0-9]+"));
  EXPECT_EQ(here.device, "cpu");
  for (const char* library : {"libjpeg-turbo", "libpng", "libtiff", "libwebp", "giflib"}) {
    EXPECT_THAT(here.image_libraries.at(library), ::testing::MatchesRegex("[0-9]+\\.[0-9.]+"));
  }
}

TEST(EnvironmentChanges, AreThoseThatChangeTheResult) {
  EXPECT_THAT(training::changes(some(), some()), IsEmpty());
  Environment other = some();
  other.compiler = "clang 14.0.6";
  other.cpu = "another CPU";
  other.cpu_features = {"avx"};
  EXPECT_THAT(training::changes(some(), other), IsEmpty());
  other.kernels = "portable";
  other.hanok = "1.3.0";
  other.device = "cuda:0";
  other.image_libraries = {{"libpng", "1.6.40"}, {"libwebp", "1.2"}};
  EXPECT_THAT(training::changes(some(), other),
              ElementsAre("hanok: 1.2.3 before, 1.3.0 now", "kernels: avx2 before, portable now",
                          "device: cpu before, cuda:0 now", "libpng: 1.6.39 before, 1.6.40 now",
                          "libwebp: none before, 1.2 now"));
}

TEST(EnvironmentFile, KeepsEveryChange) {
  const TemporaryFolder folder;
  const training::RunFolder run = training::RunFolder::create(folder / "run");
  EXPECT_THAT(training::read_environments(run), IsEmpty());
  EXPECT_THAT(training::record_environment(run, some()), IsEmpty());
  EXPECT_THAT(training::record_environment(run, some()), IsEmpty());
  EXPECT_THAT(training::read_environments(run), ElementsAre(some()));
  Environment other = some();
  other.kernels = "portable";
  EXPECT_THAT(training::record_environment(run, other),
              ElementsAre("kernels: avx2 before, portable now"));
  EXPECT_THAT(training::read_environments(run), ElementsAre(some(), other));
  // Back again is a change as well.
  EXPECT_THAT(training::record_environment(run, some()),
              ElementsAre("kernels: portable before, avx2 now"));
  EXPECT_THAT(training::read_environments(run), ElementsAre(some(), other, some()));
}

TEST(EnvironmentFile, IsNamedWhereItIsDamaged) {
  const TemporaryFolder folder;
  const training::RunFolder run = training::RunFolder::create(folder / "run");
  for (const char* text : {"", "{", "[]", "{\"environments\": [{}]}", "{\"environments\": 3}"}) {
    write_text(run.environment(), text);
    try {
      training::read_environments(run);
      FAIL() << text;
    } catch (const FormatError& error) {
      EXPECT_THAT(error.what(), HasSubstr("environment.json"));
    }
  }
}

}  // namespace
}  // namespace hanok::test
