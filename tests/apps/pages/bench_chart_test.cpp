// bench_chart as a user runs it: figures of benchmarks, drawn by the charts of every page.
#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/apps/program.h"
#include "tests/support/browser.h"
#include "tests/support/paths.h"

namespace hanok::test {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr const char* kGoogleBenchmark = R"({
  "context": {"executable": "build/bin/bench_kernels", "host_name": "a machine", "num_cpus": 2,
              "mhz_per_cpu": 2600, "date": "2026-01-01"},
  "benchmarks": [
    {"name": "gemm/64/real_time", "run_type": "iteration", "real_time": 5, "time_unit": "us",
     "FLOP/s": 2.0e10},
    {"name": "gemm/64/real_time", "run_type": "iteration", "real_time": 5, "time_unit": "us",
     "FLOP/s": 4.0e10},
    {"name": "gemm/64/real_time", "run_type": "iteration", "real_time": 5, "time_unit": "us",
     "FLOP/s": 9.0e10},
    {"name": "gemm/64/real_time_mean", "run_type": "aggregate", "FLOP/s": 5.0e10},
    {"name": "gemm/<b>", "run_type": "iteration", "error_occurred": true},
    {"name": "memory/<i>", "run_type": "iteration", "real_time": 7, "time_unit": "ms"}
  ]})";

constexpr const char* kPeers = R"({
  "conditions": "Measured in 3 interleaved pairs.",
  "rows": [
    {"model": "resnet18", "work": "inference", "batch": 16, "peer": "torch",
     "ratio": {"min": 1.0, "low": 1.1, "median": 1.25, "high": 1.4, "max": 1.5}},
    {"model": "resnet18", "work": "train/cached_features", "batch": 32, "peer": "torch",
     "ratio": {"min": 30, "low": 31, "median": 40, "high": 50, "max": 60}}
  ]})";

class BenchChart : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(binary_dir() + "/bin/bench_chart")) {
      GTEST_SKIP() << "bench_chart is not built (HANOK_BUILD_BENCH)";
    }
    write_text(folder_ / "kernels.json", kGoogleBenchmark);
    write_text(folder_ / "peers.json", kPeers);
  }
  TemporaryFolder folder_;
};

TEST_F(BenchChart, DrawsFilesOfBothKindsOnOnePage) {
  const std::string out = folder_ / "all.html";
  const Outcome outcome =
      run_program("bench_chart", {folder_ / "kernels.json", folder_ / "peers.json", out});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  const std::string html = read_text(out);
  EXPECT_THAT(html, HasSubstr("bench_kernels"));
  EXPECT_THAT(html, HasSubstr("gemm, GFLOP/s"));
  EXPECT_THAT(html, HasSubstr("<title>64: 40</title>"));  // the median of three
  EXPECT_THAT(html, HasSubstr("memory, time of an iteration, ms"));
  EXPECT_THAT(html, HasSubstr("&lt;i&gt;"));
  EXPECT_THAT(html, Not(HasSubstr("&lt;b&gt;")));  // failed: has no figures
  EXPECT_THAT(html, HasSubstr("resnet18 inference, batch 16: torch"));
  if (find_browser().empty()) GTEST_SKIP() << "no Chromium to open the page with";
  EXPECT_THAT(open_in_browser(out, {.name = "bench-chart"}).problems, IsEmpty());
}

TEST_F(BenchChart, DrawsPeersAsAPicture) {
  const std::string out = folder_ / "peers.svg";
  const Outcome outcome = run_program("bench_chart", {folder_ / "peers.json", out});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  const std::string svg = read_text(out);
  EXPECT_EQ(svg.rfind("<svg", 0), 0U);
  EXPECT_THAT(svg, HasSubstr(">1.25</text>"));
  EXPECT_THAT(svg, HasSubstr(">40</text>"));  // its bar is cut off
  EXPECT_THAT(svg, HasSubstr("as fast as the peer"));
}

TEST_F(BenchChart, DrawsSpeedAgainstErrorForEachNetwork) {
  write_text(folder_ / "accuracy.json", R"({"conditions": "Measured.", "accuracy": [
    {"model": "m", "batch": 16, "engine": "hanok", "precision": "f32", "images_per_second": 100,
     "error": 1e-6},
    {"model": "m", "batch": 16, "engine": "hanok", "precision": "int16", "images_per_second": 200,
     "error": 1e-4},
    {"model": "m", "batch": 16, "engine": "Peer", "precision": "int8", "images_per_second": 230,
     "error": 1e-2},
    {"model": "m", "batch": 1, "engine": "hanok", "precision": "f32", "images_per_second": 90,
     "error": 1e-6}]})");
  const std::string out = folder_ / "accuracy.html";
  const Outcome outcome = run_program("bench_chart", {folder_ / "accuracy.json", out});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  const std::string html = read_text(out);
  EXPECT_THAT(html, HasSubstr("Speed and error: m, batch 16"));
  EXPECT_THAT(html, HasSubstr("Speed and error: m, batch 1<"));
  EXPECT_THAT(html, HasSubstr("<title>hanok int16, 200: 0.0001</title>"));
  EXPECT_THAT(html, HasSubstr("<title>Peer int8, 230: 0.01</title>"));
  if (find_browser().empty()) GTEST_SKIP() << "no Chromium to open the page with";
  EXPECT_THAT(open_in_browser(out, {.name = "bench-accuracy"}).problems, IsEmpty());
}

TEST_F(BenchChart, DrawsErrorsOfConvolutionsAndCurvesOfLosses) {
  write_text(folder_ / "errors.json", R"({"conditions": "Measured.", "convolutions": [
    {"name": "conv1", "pass": "forward", "integers": true, "int16": {"rms": 5e-4, "max": 4e-3},
     "bf16": {"rms": 2e-3, "max": 1e-2}},
    {"name": "conv2", "pass": "forward", "integers": false, "int16": {"rms": 7e-7, "max": 8e-7},
     "bf16": {"rms": 2e-3, "max": 1e-2}},
    {"name": "conv3", "pass": "input gradient", "integers": true, "int16": {"rms": null,
     "max": null}, "bf16": {"rms": 2e-3, "max": 1e-2}}]})");
  write_text(folder_ / "logits.json", R"({"conditions": "Measured.", "logits": [
    {"name": "int16 against f32", "error": {"rms": 2e-4}}]})");
  write_text(folder_ / "lines.json", R"({"conditions": "Measured.", "lines": [
    {"title": "Loss", "x": "step", "y": "loss", "series": [
      {"name": "f32", "x": [5, 15], "y": [2, 1], "low": [1, 1], "high": [3, 2], "dashed": false},
      {"name": "int16", "x": [5, 15], "y": [2, 1], "low": [1, 1], "high": [3, 2],
       "dashed": true}]}]})");
  const std::string out = folder_ / "all.html";
  const Outcome outcome =
      run_program("bench_chart",
                  {folder_ / "errors.json", folder_ / "logits.json", folder_ / "lines.json", out});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  const std::string html = read_text(out);
  EXPECT_THAT(html, HasSubstr("<title>forward, 0.002: 0.0005</title>"));
  EXPECT_THAT(html, HasSubstr("Convolutions: largest error over the result"));
  EXPECT_THAT(html, Not(HasSubstr("7e-07")));  // computed as in f32
  EXPECT_THAT(html, HasSubstr("int16 against f32"));
  EXPECT_THAT(html, HasSubstr("Loss"));
}

TEST_F(BenchChart, SaysWhatItCannotRead) {
  write_text(folder_ / "empty.json", "{}");
  write_text(folder_ / "no.json", "no JSON");
  write_text(folder_ / "half.json", R"({"rows": [{"model": "m"}], "conditions": ""})");
  const auto message = [&](const std::vector<std::string>& arguments) {
    const Outcome outcome = run_program("bench_chart", arguments);
    EXPECT_NE(outcome.exit_code, 0);
    return outcome.output;
  };
  EXPECT_THAT(message({}), HasSubstr("usage: bench_chart"));
  EXPECT_THAT(message({folder_ / "empty.json", folder_ / "x.html"}),
              HasSubstr("empty.json: is neither"));
  EXPECT_THAT(message({folder_ / "no.json", folder_ / "x.html"}), HasSubstr("is no JSON"));
  EXPECT_THAT(message({folder_ / "half.json", folder_ / "x.html"}), HasSubstr("half.json: lacks"));
  EXPECT_THAT(message({folder_ / "peers.json", folder_ / "x.gif"}),
              HasSubstr("must end in .html or .svg"));
}

}  // namespace
}  // namespace hanok::test
