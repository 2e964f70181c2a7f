// Batches in parts whose batch norms see all of them, on the stand-in's device.
#include <cmath>

#include "tests/cuda/training/training_run.h"

namespace hanok::test {
namespace {

using Arguments = std::vector<std::string>;

class VirtualBatch : public TrainingOnStandin {};

TEST_F(VirtualBatch, HasTheLossesOfTheWholeOne) {
  const Arguments base = {"model",      "mobilenet_v3_small",
                          "image-size", "32",
                          "batch-size", "12",
                          "lr",         "0.0003",
                          "epochs",     "1",
                          "max-steps",  "2"};
  const std::vector<double> whole = train(base).losses();
  const std::vector<double> parts = train(base + Arguments{"accumulate", "3"}).losses();
  const TrainingRun run = train(base + Arguments{"accumulate", "3", "virtual-batch", "true"});
  const std::vector<double> found = run.losses();
  ASSERT_EQ(found.size(), 2U);
  EXPECT_NEAR(found[0], whole[0], 1e-4);
  EXPECT_NEAR(found[1], whole[1], 1e-2);
  EXPECT_GT(std::abs(parts[0] - whole[0]), 1e-3);  // batch norm by the images of each part
}

}  // namespace
}  // namespace hanok::test
