// Where memory does not suffice for a step, the step is computed again in a way that fits, and that
// is reported.
#include <gmock/gmock.h>

#include "hanok/engine/allocator.h"
#include "hanok/engine/runtime.h"
#include "hanok/kernels/base/error.h"
#include "tests/cuda/training/training_run.h"

namespace hanok::test {
namespace {

using Arguments = std::vector<std::string>;
using ::testing::HasSubstr;
using ::testing::Not;

// Large activations and no batch norm, so that parts of a batch add up to the whole.
const Arguments kLarge = {"image-size", "192", "batch-size", "26",        "optimizer",
                          "sgd",        "lr",  "0.01",       "scheduler", "constant",
                          "epochs",     "1",   "max-steps",  "1"};
constexpr std::size_t kMebibyte = std::size_t{1} << 20;
const Device kGpu = Device::cuda(0);

class TooLittleMemory : public TrainingOnStandin {
 protected:
  void SetUp() override {
    TrainingOnStandin::SetUp();
    backend_of(kGpu);  // the device is opened with enough memory, and filled later
  }
  /// Sets the device's free memory.
  static void leave_memory(std::size_t bytes) {
    allocator_of(kGpu).release_cached();
    standin::Settings settings;
    settings.memory = standin::bytes_in_use() + bytes;
    standin::set_settings(settings);
  }
};

void expect_near(const std::vector<double>& found, const std::vector<double>& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    EXPECT_NEAR(found[i], expected[i], 2e-5) << "step " << i + 1;
  }
}

TEST_F(TooLittleMemory, SplitsBatchesAsAccumulateDoes) {
  const Arguments base = kLarge + Arguments{"cuda-graph", "no"};
  const TrainingRun halves = train(base + Arguments{"accumulate", "2"});
  // Memory increases until halves of a batch fit, but not yet the whole.
  std::size_t memory = 88 * kMebibyte;
  const auto parts = [&] {
    leave_memory(memory += 8 * kMebibyte);
    return train(base).summary.at("folds").at(0).value("split_into", 0);
  };
  while (parts() > 2) ASSERT_LT(memory, 256 * kMebibyte);
  leave_memory(memory);
  const TrainingRun run = train(base);
  EXPECT_THAT(run.output, HasSubstr("fold 0, epoch 1, step 1: out of memory: "));
  EXPECT_THAT(run.output, HasSubstr("From here on a batch of 26 images is computed in 2 parts, as "
                                    "with --accumulate 2"));
  EXPECT_EQ(run.summary.at("folds").at(0).at("split_into"), 2);
  EXPECT_EQ(run.last_hash(), halves.last_hash());
  EXPECT_EQ(run.steps(), halves.steps());
  EXPECT_LE(standin::bytes_in_use(), standin::settings().memory);

  const Arguments longer = base + Arguments{"epochs", "3", "max-steps", "3"};
  const TrainingRun short_of_memory = train(longer);
  EXPECT_THAT(short_of_memory.output, HasSubstr("as with --accumulate"));
  standin::set_settings(standin::Settings());
  expect_near(short_of_memory.losses(), train(longer).losses());
}

TEST_F(TooLittleMemory, GivesTheRecordedStepsMemoryBackFirst) {
  // 27 images in batches of 12: the short last batch needs memory besides the recorded step's.
  const Arguments base =
      kLarge + Arguments{"image-size", "128", "batch-size", "12", "max-steps", "8", "epochs", "4"};
  train(base + Arguments{"cuda-graph", "no"});  // permanent allocations, mainly scratch
  allocator_of(kGpu).release_cached();
  const std::size_t before = standin::bytes_in_use();
  const TrainingRun whole = train(base + Arguments{"cuda-graph", "no"});
  leave_memory(standin::bytes_in_use() - before + 16 * kMebibyte);
  const TrainingRun run = train(base);
  EXPECT_THAT(run.output, HasSubstr("no CUDA graph of the step from here on"));
  EXPECT_THAT(run.graph(), HasSubstr("recorded 1 time"));
  EXPECT_THAT(run.graph(), HasSubstr("given up: out of memory"));
  EXPECT_THAT(run.output, Not(HasSubstr("is computed in")));
  EXPECT_EQ(run.last_hash(), whole.last_hash());
  EXPECT_EQ(run.steps(), whole.steps());
}

TEST_F(TooLittleMemory, WhereOneImageIsTooMuchTheRunEndsAndSaysSo) {
  leave_memory(6 * kMebibyte);
  EXPECT_THROW(train(kLarge), OutOfMemory);
}

}  // namespace
}  // namespace hanok::test
