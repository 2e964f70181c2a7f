// finetune --check: a recipe that works passes; each way of breaking it fails in its own line.
#include "hanok/weights/weights.h"
#include "tests/apps/flags.h"

namespace hanok::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class Check : public Flags {
 protected:
  Outcome check(const Arguments& more) { return finetune(replaced(more) + Arguments{"--check"}); }
};

TEST_F(Check, PassesForARecipeThatLearns) {
  const Outcome outcome = check({"--lr", "0.002", "--augment", "strong", "--mixup", "0.4"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  for (const char* line :
       {"ok     data", "ok     split", "ok     labels", "ok     gradients", "ok     first loss",
        "ok     overfit", "ok     evaluation", "ok     predict     16 of 16"}) {
    EXPECT_THAT(outcome.output, HasSubstr(line));
  }
  EXPECT_THAT(outcome.output, HasSubstr("ln(3) is 1.099"));
}

TEST_F(Check, PassesWithHiddenLayersAndBatchNorm) {
  const Outcome outcome =
      check({"--hidden", "16", "--lr-group", "conv1=0.001", "--grayscale", "--lr", "0.003"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  Arguments other = {
      "--data", folder_ / "photos", "--model", "mobilenet_v2", "--weights", "none",   "--folds",
      "2",      "--fold",           "0",       "--image-size", "32",        "--check"};
  const Outcome with_batch_norm = finetune(other);
  EXPECT_EQ(with_batch_norm.exit_code, 0) << with_batch_norm.output;
}

TEST_F(Check, FailsWhereNothingLearns) {
  const Outcome slow = check({"--lr", "1e-9"});
  EXPECT_EQ(slow.exit_code, 1);
  EXPECT_THAT(slow.output, AllOf(HasSubstr("FAILED overfit"), HasSubstr("--lr")));
  const Outcome wild = check({"--lr", "50"});
  EXPECT_EQ(wild.exit_code, 1);
}

TEST_F(Check, NamesTheLayersWithoutAGradient) {
  const std::string dead = folder_ / "dead.safetensors";
  const weights::WeightFile start = weights::load(run({}).folder + "/fold_0/best.safetensors");
  nn::StateDict zeros;
  for (const auto& [name, tensor] : start.tensors) {
    const bool is_zero = name.rfind("fc2.", 0) == 0;
    zeros.insert(name, is_zero ? Tensor::zeros(tensor.shape()) : tensor);
  }
  weights::save_safetensors(dead, zeros, {});
  const Outcome outcome = check({"--weights", dead, "--lr", "0.01"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.output, AllOf(HasSubstr("FAILED gradients"), HasSubstr("conv1.weight")));
}

TEST_F(Check, SkipsTheFirstLossOfAKnownHead) {
  const FinishedRun first = run({});
  const Outcome outcome = check({"--weights", first.folder + "/fold_0/best.safetensors"});
  EXPECT_THAT(outcome.output, HasSubstr("the head is not new"));
}

TEST_F(Check, RefusesBadOptionsAsARunDoes) {
  EXPECT_EQ(check({"--lr-group", "conv1"}).exit_code, 2);
  EXPECT_EQ(finetune({"--check"}).exit_code, 2);
  EXPECT_THAT(check({"--data", folder_ / "nowhere"}).output, HasSubstr("nowhere"));
  const Outcome elsewhere = check({"--device", "cuda:99"});  // no machine has it
  EXPECT_EQ(elsewhere.exit_code, 1);
  EXPECT_THAT(elsewhere.output, HasSubstr("CUDA"));
}

}  // namespace
}  // namespace hanok::test
