// Each planted bug is reported at its line; the correct version of each kernel is not. Bugs that
// only the race detector can find are tested in the program that is instrumented for it.
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hanok_emulator.h>
#include <numeric>
#include <string>
#include <vector>

#include "tests/cuda/emulator/tests/planted.h"
#include "tests/support/paths.h"

namespace hanok::emulator {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// "planted.cu:17": the line with that mark.
std::string at(const std::string& mark) {
  std::ifstream in(test::source_dir() + "/tests/cuda/emulator/tests/planted.cu");
  int number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (line.size() >= mark.size() + 4 && line.ends_with("at: " + mark)) {
      return "planted.cu:" + std::to_string(number);
    }
  }
  throw std::runtime_error("no line is marked " + mark);
}

/// Memory that kernels may access, followed by bytes of the array that they may not.
template <typename T>
class DeviceArray {
 public:
  DeviceArray(std::size_t size, const std::string& name) : values_(size + kBeyond) {
    std::iota(values_.begin(), values_.end(), T{});
    register_memory(values_.data(), size * sizeof(T), name);
  }
  ~DeviceArray() { unregister_memory(values_.data()); }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;
  T* data() { return values_.data(); }
  const T& operator[](std::size_t i) const { return values_[i]; }

 private:
  static constexpr std::size_t kBeyond = 1024;
  std::vector<T> values_;
};

/// Launches run immediately; each test uses another order of threads.
class PlantedBugs : public testing::TestWithParam<int> {
 protected:
  PlantedBugs() {
    set_sink([](const Launch& launch, cudaStream_t) { execute(launch); });
    set_seed(static_cast<std::uint64_t>(GetParam()));
  }
  ~PlantedBugs() override { set_sink({}); }

  void expect_nothing() const {
    for (const Report& report : findings_.reports()) ADD_FAILURE() << report.text;
  }
  /// Expects a finding of that kind whose text contains the parts. (A read before any write may
  /// first be reported as uninitialised, then as a race.)
  template <typename... Parts>
  void expect(Report::Kind kind, const Parts&... parts) const {
    std::string all;
    for (const Report& report : findings_.reports()) {
      all += report.text + "\n";
      if (report.kind != kind) continue;
      EXPECT_THAT(report.text, AllOf(HasSubstr(parts)...));
      return;
    }
    ADD_FAILURE() << "no such finding among:\n" << all;
  }

  Collect findings_;
};
/// Bugs that are found only if every access is observed.
class PlantedRaces : public PlantedBugs {
 protected:
  void SetUp() override {
    if (!detects_races()) GTEST_SKIP() << "test_cuda_emulator_races looks for these";
  }
};
INSTANTIATE_TEST_SUITE_P(Orders, PlantedBugs, testing::Range(0, 5));
INSTANTIATE_TEST_SUITE_P(Orders, PlantedRaces, testing::Range(0, 5));

TEST_P(PlantedBugs, RightKernelsAreRightAndHaveNoFindings) {
  DeviceArray<float> x(192, "x"), y(192, "y"), sum(1, "sum");
  DeviceArray<unsigned> ticket(1, "ticket");
  DeviceArray<unsigned char> bytes(8, "bytes");
  planted::reverse(x.data(), 3, /*barrier=*/true);
  EXPECT_EQ(x[0], 63);
  EXPECT_EQ(x[191], 128);
  planted::twice(x.data(), y.data(), 130, /*check=*/true);
  EXPECT_EQ(y[129], 2 * x[129]);
  EXPECT_EQ(y[130], 130);
  planted::reverse_warp(x.data(), /*barrier=*/true);
  EXPECT_EQ(x[0], 32);
  planted::meet(/*all=*/true);
  planted::sum(x.data(), sum.data(), 192, /*atomically=*/true);
  EXPECT_EQ(sum[0], 191 * 96);
  planted::sum_by_last_block(y.data(), x.data(), ticket.data(), sum.data(), 5, /*fence=*/true);
  EXPECT_EQ(sum[0], 2 * (y[0] + y[1] + y[2] + y[3] + y[4]));
  planted::sum_by_shuffles(y.data(), sum.data(), /*all=*/true);
  EXPECT_EQ(sum[0], std::accumulate(y.data(), y.data() + 32, 0.0F));
  planted::through_shared(x.data(), y.data(), 50, 50);
  EXPECT_EQ(y[49], x[0]);
  planted::sum_table(sum.data(), /*fill=*/true);
  EXPECT_EQ(sum[0], 32);
  planted::neighbouring_bytes(bytes.data());
  EXPECT_EQ(bytes[0], 7);
  EXPECT_EQ(bytes[7], 7);
  const float first = x[8];
  planted::exchange_in_segments(x.data(), /*sync=*/true);
  EXPECT_EQ(x[15], first);
  DeviceArray<int> structs(32 * 12, "structs");
  planted::move_structs(structs.data(), /*barrier=*/true);
  EXPECT_EQ(structs[0], 31 * 12);
  expect_nothing();
}

TEST_P(PlantedRaces, AMissingBarrierIsARaceWithBothLines) {
  DeviceArray<float> x(128, "x");
  planted::reverse(x.data(), 2, /*barrier=*/false);
  expect(Report::Kind::Race, "reverse_kernel: ", "race on shared memory",
         at("missing-barrier write"), at("missing-barrier read"));
}

TEST_P(PlantedRaces, AMissingSyncwarpIsARace) {
  DeviceArray<float> x(32, "x");
  planted::reverse_warp(x.data(), /*barrier=*/false);
  expect(Report::Kind::Race, at("missing-syncwarp write"), at("missing-syncwarp read"));
}

TEST_P(PlantedRaces, AMissingSyncwarpOfSegmentsIsARace) {
  DeviceArray<float> x(32, "x");
  planted::exchange_in_segments(x.data(), /*sync=*/false);
  expect(Report::Kind::Race, at("segment read"));
}

TEST_P(PlantedRaces, CopiesOfStructsAreAccesses) {
#ifdef __clang__
  GTEST_SKIP() << "clang copies them by memcpy, which is not watched; the g++ build looks for this";
#endif
  DeviceArray<int> x(32 * 12, "x");
  planted::move_structs(x.data(), /*barrier=*/false);
  expect(Report::Kind::Race, at("struct read"));
}

TEST_P(PlantedRaces, ASumBetweenBlocksIsARace) {
  DeviceArray<float> x(64, "x"), sum(1, "sum");
  planted::sum(x.data(), sum.data(), 64, /*atomically=*/false);
  expect(Report::Kind::Race, "race on global memory", at("racy-sum"));
  bool between_blocks = false;
  for (const Report& report : findings_.reports()) {
    between_blocks = between_blocks || report.text.find("another block") != std::string::npos;
  }
  planted::sum(x.data(), sum.data(), 2, /*atomically=*/false);  // within a block as well
  EXPECT_TRUE(between_blocks || findings_.reports().size() > 1);
}

TEST_P(PlantedRaces, WhatTheLastBlockReadsMustBeFenced) {
  DeviceArray<float> x(8, "x"), parts(8, "parts"), sum(1, "sum");
  DeviceArray<unsigned> ticket(1, "ticket");
  planted::sum_by_last_block(x.data(), parts.data(), ticket.data(), sum.data(), 8, /*fence=*/false);
  expect(Report::Kind::Race, "another block", at("last-block write"), at("last-block read"));
}

TEST_P(PlantedRaces, AnIndexOutOfBoundsIsReportedAndEndsTheLaunch) {
  DeviceArray<float> x(70, "x"), y(128, "y");
  planted::twice(x.data(), y.data(), 70, /*check=*/false);
  expect(Report::Kind::OutOfBounds, "reads 4 bytes at " + at("out-of-bounds read"),
         "beyond the end of x (280 bytes)");
}

TEST_P(PlantedRaces, FreedMemoryIsReported) {
  DeviceArray<float> x(64, "x"), y(64, "y");
  unregister_memory(x.data());
  planted::twice(x.data(), y.data(), 64, /*check=*/true);
  expect(Report::Kind::OutOfBounds, at("out-of-bounds read"), "x, which has been freed");
}

TEST_P(PlantedRaces, MemoryThatIsNotTheDevicesIsReported) {
  DeviceArray<float> y(64, "y");
  const std::vector<float> host(64);
  planted::twice(host.data(), y.data(), 64, /*check=*/true);
  expect(Report::Kind::OutOfBounds, at("out-of-bounds read"));
}

TEST_P(PlantedRaces, DynamicSharedMemoryHasItsBounds) {
  DeviceArray<float> x(64, "x"), y(64, "y");
  planted::through_shared(x.data(), y.data(), 40, 39);
  expect(Report::Kind::OutOfBounds, at("shared-bounds write"),
         "4 bytes beyond the end of the dynamic shared memory (156 bytes)");
}

TEST_P(PlantedRaces, SharedMemoryThatNobodyWroteIsReported) {
  DeviceArray<float> sum(1, "sum");
  planted::sum_table(sum.data(), /*fill=*/false);
  expect(Report::Kind::Uninitialised, at("uninitialised read"));
}

TEST_P(PlantedBugs, ADivergentBarrierIsReportedNotHung) {
  planted::meet(/*all=*/false);
  expect(Report::Kind::DivergentBarrier, "meet_kernel: ", "32 threads wait in __syncthreads at ",
         at("divergent-barrier"), "32 threads have ended (first: thread (32,0,0))");
}

TEST_P(PlantedBugs, BarriersOfDifferentLinesAreDivergent) {
  planted::meet_apart();
  expect(Report::Kind::DivergentBarrier, at("barrier-apart one"), at("barrier-apart other"));
}

TEST_P(PlantedBugs, AShuffleWithMissingLanesIsReported) {
  DeviceArray<float> x(32, "x"), sum(1, "sum");
  planted::sum_by_shuffles(x.data(), sum.data(), /*all=*/false);
  expect(Report::Kind::MissingLanes, at("lanes"), "__shfl_down_sync", "16 threads have ended");
}

TEST_P(PlantedBugs, AShuffleFromBeyondTheBlockIsReported) {
  DeviceArray<float> x(16, "x");
  planted::reads_beyond_block(x.data());
  expect(Report::Kind::MissingLanes, at("beyond-block"), "reads from lane 31");
}

TEST_P(PlantedBugs, TheLaunchAfterABrokenOneIsWhole) {
  planted::meet(/*all=*/false);
  DeviceArray<float> x(64, "x");
  planted::reverse(x.data(), 1, /*barrier=*/true);
  EXPECT_EQ(x[0], 63);
  EXPECT_EQ(findings_.reports().size(), 1U);
}

TEST(Findings, AreThrownWhereNobodyCollectsThem) {
  set_sink([](const Launch& launch, cudaStream_t) { execute(launch); });
  EXPECT_THROW(planted::meet(/*all=*/false), Fault);
  set_sink({});
}

}  // namespace
}  // namespace hanok::emulator
