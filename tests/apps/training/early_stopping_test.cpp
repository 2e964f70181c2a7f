// Which epoch is the best, and when there is none.
#include "hanok/apps/training/early_stopping.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>

namespace hanok::training {
namespace {

const double kNan = std::nan("");
const double kInfinity = std::numeric_limits<double>::infinity();

TEST(EarlyStopping, AValueThatIsNoFiniteNumberIsWorseThanAllOthers) {
  for (const auto goal : {EarlyStopping::Goal::Lowest, EarlyStopping::Goal::Highest}) {
    for (const double wrong : {kNan, kInfinity, -kInfinity}) {
      EarlyStopping stopping(goal, 3, 0);
      EXPECT_FALSE(stopping.update(0, wrong));
      EXPECT_EQ(stopping.best_epoch(), -1);
      EXPECT_TRUE(stopping.update(1, 5));
      EXPECT_FALSE(stopping.update(2, wrong));
      EXPECT_EQ(stopping.best_epoch(), 1);
      EXPECT_EQ(stopping.best_value(), 5);
      EXPECT_FALSE(stopping.should_stop());
      EXPECT_FALSE(stopping.update(3, wrong));
      EXPECT_FALSE(stopping.update(4, wrong));
      EXPECT_TRUE(stopping.should_stop());
    }
  }
}

TEST(EarlyStopping, WithoutAnyFiniteValueTrainingEndsAndNoEpochIsTheBest) {
  EarlyStopping stopping(EarlyStopping::Goal::Lowest, 2, 0);
  for (int epoch = 0; epoch < 2; ++epoch) EXPECT_FALSE(stopping.update(epoch, kNan));
  EXPECT_TRUE(stopping.should_stop());
  EXPECT_EQ(stopping.best_epoch(), -1);
}

}  // namespace
}  // namespace hanok::training
