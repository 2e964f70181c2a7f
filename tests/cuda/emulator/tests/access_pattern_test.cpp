// The lab's results for access patterns with known costs.
#include "tests/cuda/emulator/lab/access_pattern.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hanok::emulator::lab {
namespace {

/// Lane i accesses `bytes` at base + i * step.
WarpAccess strided(std::uintptr_t base, std::uintptr_t step, int bytes, int lanes = 32) {
  WarpAccess access;
  for (int lane = 0; lane < lanes; ++lane) {
    access.address[lane] = base + lane * step;
    access.bytes[lane] = static_cast<std::uint8_t>(bytes);
  }
  return access;
}

TEST(SharedCost, StrideOneHasNoConflict) {
  const Cost cost = shared_cost(strided(0x1000, 4, 4));
  EXPECT_EQ(cost.actual, 1);
  EXPECT_EQ(cost.best, 1);
}

TEST(SharedCost, AColumnOf32FloatsTakes32PassesAndPaddedOne) {
  EXPECT_EQ(shared_cost(strided(0x1000, 128, 4)).actual, 32);
  EXPECT_EQ(shared_cost(strided(0x1000, 132, 4)).actual, 1);
  EXPECT_EQ(shared_cost(strided(0x1000, 8, 4)).actual, 2);
}

TEST(SharedCost, LanesThatWantTheSameWordShareIt) {
  EXPECT_EQ(shared_cost(strided(0x1000, 0, 4)).actual, 1);
  EXPECT_EQ(shared_cost(strided(0x1000, 2, 2)).actual, 1);  // two halves a word
}

TEST(SharedCost, WideAccessesAreServedInParts) {
  EXPECT_EQ(shared_cost(strided(0x1000, 8, 8)).actual, 2);
  EXPECT_EQ(shared_cost(strided(0x1000, 8, 8)).best, 2);
  EXPECT_EQ(shared_cost(strided(0x1000, 16, 16)).actual, 4);
  EXPECT_EQ(shared_cost(strided(0x1000, 16, 16)).best, 4);
  EXPECT_EQ(shared_cost(strided(0x1000, 32, 16)).actual, 8);
}

TEST(GlobalCost, CountsSectors) {
  EXPECT_EQ(global_cost(strided(0x1000, 4, 4)).actual, 4);
  EXPECT_EQ(global_cost(strided(0x1000, 4, 4)).best, 4);
  EXPECT_EQ(global_cost(strided(0x1004, 4, 4)).actual, 5);  // not aligned
  EXPECT_EQ(global_cost(strided(0x1000, 8, 4)).actual, 8);
  EXPECT_EQ(global_cost(strided(0x1000, 256, 4)).actual, 32);
  EXPECT_EQ(global_cost(strided(0x1000, 16, 16)).actual, 16);
  EXPECT_EQ(global_cost(strided(0x1000, 0, 4)).actual, 1);
  EXPECT_EQ(global_cost(strided(0x1000, 4, 4, 7)).best, 1);  // 28 bytes
}

TEST(Verdict, SaysWhatItCosts) {
  Pattern pattern;
  pattern.shared = true;
  pattern.worst = strided(0x1000, 128, 4);
  pattern.actual = 32;
  pattern.best = 1;
  EXPECT_EQ(verdict(pattern), "32-way bank conflict");
  pattern.shared = false;
  pattern.best = 4;
  EXPECT_THAT(verdict(pattern), testing::HasSubstr("8.0 times the sectors"));
}

TEST(Picture, DrawsAPanelForEachPattern) {
  Pattern pattern;
  pattern.kernel = "k<float>";
  pattern.verb = "read";
  pattern.worst = strided(0x1000, 128, 4);
  const std::string svg = picture({pattern, pattern});
  EXPECT_EQ(svg.rfind("<svg", 0), 0U);
  EXPECT_THAT(svg, testing::EndsWith("</svg>\n"));
  EXPECT_THAT(svg, testing::HasSubstr("k&lt;float&gt;"));
  std::size_t lanes = 0;
  for (auto at = svg.find("#455a64"); at != std::string::npos; at = svg.find("#455a64", at + 1)) {
    ++lanes;
  }
  EXPECT_EQ(lanes, 64U);
}

TEST(Picture, IsAsWideAsItsLongestTitle) {
  const auto width = [](const std::string& svg) {
    return std::stoi(svg.substr(svg.find("width='") + 7));
  };
  Pattern pattern;
  pattern.verb = "read";
  pattern.worst = strided(0x1000, 128, 4);
  const int usual = width(picture({pattern}));
  pattern.kernel = std::string(200, 'k');
  EXPECT_GT(width(picture({pattern})), 7 * 200);
  EXPECT_LT(usual, 7 * 200);
}

}  // namespace
}  // namespace hanok::emulator::lab
