// bench_scaling as a user runs it, and the curves that docs/pictures/scaling.json records.
#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/apps/program.h"
#include "tests/support/paths.h"

namespace hanok::test {
namespace {

using ::testing::HasSubstr;
using Arguments = std::vector<std::string>;

class BenchScaling : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(binary_dir() + "/bin/bench_scaling")) {
      GTEST_SKIP() << "bench_scaling is not built (HANOK_BUILD_BENCH)";
    }
  }

  TemporaryFolder folder_;
  const std::string recorded_ = source_dir() + "/docs/pictures/scaling.json";
};

// The picture is stale where this fails: bench_scaling draw, then docs/pictures/make_scaling.py.
TEST_F(BenchScaling, TheRecordedCurvesAreThoseOfTheModel) {
  const std::string again = folder_ / "again.json";
  const Outcome outcome = run_program("bench_scaling", {"draw", recorded_, "--out", again});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  const nlohmann::json before = read_json(recorded_);
  const nlohmann::json after = read_json(again);
  EXPECT_EQ(after["works"], before["works"]);
  ASSERT_EQ(after["curves"].size(), before["curves"].size());
  EXPECT_EQ(before["curves"].size(), 2U * 2U * 4U);  // networks, devices, links
  for (std::size_t i = 0; i < after["curves"].size(); ++i) {
    const nlohmann::json& want = after["curves"][i];
    const nlohmann::json& found = before["curves"][i];
    EXPECT_EQ(found["link"], want["link"]);
    for (const char* kind : {"weak", "strong"}) {
      ASSERT_EQ(found[kind].size(), 11U);
      for (std::size_t at = 0; at < 11; ++at) {
        EXPECT_EQ(found[kind][at]["limit"], want[kind][at]["limit"]);
        EXPECT_NEAR(found[kind][at]["efficiency"], want[kind][at]["efficiency"], 1e-3);
      }
    }
  }
}

TEST_F(BenchScaling, MeasuresAndComparesWithRealRanks) {
  const std::string file = folder_ / "small.json";
  const Outcome measured = run_program(
      "bench_scaling", {"record", "--out", file, "--batch-size", "8", "--image-size", "32"});
  ASSERT_EQ(measured.exit_code, 0) << measured.output;
  EXPECT_THAT(measured.output, HasSubstr("46.8 MB of gradients, 20 batch norms."));
  EXPECT_THAT(measured.output, HasSubstr("102.2 MB of gradients, 53 batch norms."));
  const nlohmann::json record = read_json(file);
  ASSERT_EQ(record["works"].size(), 4U);
  EXPECT_EQ(record["works"][1]["device"], "h100");

  const Arguments compare = {"compare", file,       "--latency-us", "2", "--gigabytes", "5",
                             "--model", "resnet18", "--cores",      "2", "--step"};
  const Outcome compared = run_program(
      "bench_scaling", compare + Arguments{"1x8:0.5"} + Arguments{"--step", "2x4:0.25"});
  EXPECT_EQ(compared.exit_code, 0) << compared.output;
  EXPECT_EQ(lines_of(compared.output).size(), 3U);
  EXPECT_EQ(run_program("bench_scaling", compare + Arguments{"2x8"}).exit_code, 2);
  Arguments other = compare;
  other[7] = "vgg11";
  EXPECT_EQ(run_program("bench_scaling", other + Arguments{"1x8:0.5"}).exit_code, 2);
  write_text(file, "{}");
  EXPECT_EQ(run_program("bench_scaling", compare + Arguments{"1x8:0.5"}).exit_code, 1);
  EXPECT_EQ(run_program("bench_scaling", {"draw", folder_ / "absent", "--out", file}).exit_code, 1);
}

}  // namespace
}  // namespace hanok::test
