#include "hanok/apps/statistics/quantile.h"

#include <cmath>
#include <gtest/gtest.h>

namespace hanok::statistics {
namespace {

// numpy.quantile([4, 1, 3, 10], ...)
TEST(Quantile, EqualsNumPys) {
  EXPECT_DOUBLE_EQ(quantile({4, 1, 3, 10}, 0), 1);
  EXPECT_DOUBLE_EQ(quantile({4, 1, 3, 10}, 0.25), 2.5);
  EXPECT_DOUBLE_EQ(quantile({4, 1, 3, 10}, 0.5), 3.5);
  EXPECT_DOUBLE_EQ(quantile({4, 1, 3, 10}, 0.9), 8.2);
  EXPECT_DOUBLE_EQ(quantile({4, 1, 3, 10}, 1), 10);
  EXPECT_DOUBLE_EQ(quantile({4, 1, 2, 3}, 0.25), 1.75);
}

TEST(Quantile, OfOneAndOfNoValue) {
  EXPECT_DOUBLE_EQ(quantile({7}, 0.3), 7);
  EXPECT_TRUE(std::isnan(quantile({}, 0.5)));
}

}  // namespace
}  // namespace hanok::statistics
