// Where two traced trainings differ first.
#include "hanok/apps/experiment/traced_training.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/apps/fold.h"

namespace hanok::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using training::NamedOp;

class TracedTraining : public FoldTest {};

TEST_F(TracedTraining, OfTheSameFoldIsTheSameAndNamesEveryLayer) {
  const std::vector<NamedOp> first = training::train_traced(job());
  const std::vector<NamedOp> second = training::train_traced(job());
  EXPECT_EQ(training::first_difference(first, second), "");
  EXPECT_EQ(first.back().step, 7);  // six steps, and the validation behind them
  bool conv2 = false;
  for (const NamedOp& op : first) conv2 |= op.layer == "conv2";
  EXPECT_TRUE(conv2);
}

TEST_F(TracedTraining, NamesTheFirstOpThatDiffers) {
  options_.epochs = 1;
  const std::vector<NamedOp> first = training::train_traced(job());
  std::size_t at = first.size() / 2;
  while (first[at].layer != "conv1") ++at;
  std::vector<NamedOp> other = first;
  other[at].op.written ^= 1U;
  other[at + 3].op.read ^= 1U;
  EXPECT_THAT(training::first_difference(first, other),
              AllOf(HasSubstr("step 2, op "), HasSubstr(" of conv1, "),
                    HasSubstr("makes other values of the same ones")));
  other[at].op.read ^= 1U;
  EXPECT_THAT(training::first_difference(first, other),
              HasSubstr("is the first op that reads other values"));
  other = first;
  other.pop_back();
  EXPECT_THAT(training::first_difference(first, other), HasSubstr(" ops, then "));
}

TEST_F(TracedTraining, OfAnotherSeedDiffersAtOnce) {
  const std::vector<NamedOp> first = training::train_traced(job());
  options_.seed = 3;
  EXPECT_THAT(training::first_difference(first, training::train_traced(job())),
              AllOf(HasSubstr("step 1, op "), HasSubstr(": random_uniform ")));
}

}  // namespace
}  // namespace hanok::test
