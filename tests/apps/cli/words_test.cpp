#include "hanok/apps/cli/words.h"

#include <gtest/gtest.h>

namespace hanok::training {
namespace {

TEST(Words, ThousandsHaveCommas) {
  EXPECT_EQ(with_commas(0), "0");
  EXPECT_EQ(with_commas(999), "999");
  EXPECT_EQ(with_commas(1234), "1,234");
  EXPECT_EQ(with_commas(-123), "-123");
  EXPECT_EQ(with_commas(-1234567), "-1,234,567");
}

TEST(Words, CountsChooseTheForm) {
  EXPECT_EQ(counted(1, "image", "images"), "1 image");
  EXPECT_EQ(counted(1874, "image", "images"), "1,874 images");
}

}  // namespace
}  // namespace hanok::training
