// Every single allocation of a training step and of an evaluation fails once: tensors' and operator
// new's. The step is repeated to the same bits, whole or as if it had been split at first, or ends
// with a message; what is left behind is as before, and the same process goes on.
#include <exception>
#include <functional>
#include <gmock/gmock.h>
#include <optional>
#include <utility>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/run/checkpoint.h"
#include "hanok/apps/training/evaluation.h"
#include "hanok/engine/allocator.h"
#include "hanok/engine/packed_weights.h"
#include "hanok/engine/reclaim.h"
#include "tests/apps/fold.h"
#include "tests/support/failing_new.h"

namespace hanok::test {
namespace {

using training::StepOutcome;
using Norm = training::StepRunner::GradientNorm;
using ::testing::HasSubstr;

/// A small tensor may get a freed block that is an eighth larger.
constexpr double kReuse = 4096;

Allocator& tensors() { return allocator_of(Device::cpu()); }

/// A batch and the state before its step, to which every attack returns.
class Attacked {
 public:
  explicit Attacked(const training::FoldJob& job) : fold_(job) {
    fold_.setup.model->train();
    fold_.batches.training->start_epoch(0, fold_.samples.training);
    EXPECT_TRUE(fold_.batches.training->next(batch_));
    // Moments exist after a first step; without them the second would not be like the third.
    fold_.step.run(batch_, {}, Norm::Skip);
    model_ = training::copy_state_dict(*fold_.setup.model);
    optimizer_ = fold_.setup.optimizer->state();
  }

  /// One step from the saved state, in `parts` parts at first; the weights' hash after it.
  std::string step(std::int64_t parts) {
    restore();
    training::StepRunner runner({.job = fold_.job,
                                 .samples = fold_.samples,
                                 .setup = fold_.setup,
                                 .batches = *fold_.batches.training,
                                 .cut = {.parts = parts}});
    arm_();
    runner.run(batch_, {.step_in_epoch = 1, .step = 1}, Norm::Compute);
    disarm_();
    return fold_.hash();
  }

  std::vector<float> evaluate() {
    restore();
    keep_packed_weights(true);
    arm_();
    const std::optional<training::Evaluation> evaluation = fold_.step.fitting().whole([&] {
      return training::evaluate(*fold_.setup.model, *fold_.batches.validation,
                                fold_.samples.validation, fold_.samples.classes(), Tensor());
    });
    disarm_();
    fold_.setup.model->train();
    return evaluation.value().logits;
  }

  void restore() {
    fold_.setup.optimizer->zero_grad();
    fold_.setup.model->load_state_dict(model_);
    fold_.setup.optimizer->load_state(optimizer_);
    fold_.setup.model->train();
  }

  /// Of tensors between steps, without what reclaim_memory() gives back.
  double bytes_at_rest() {
    set_attack([] {}, [] {});
    reclaim_memory();
    step(1);  // as after any step
    restore();
    reclaim_memory();
    return static_cast<double>(tensors().statistics().in_use);
  }

  /// Called right before and after what is attacked.
  void set_attack(std::function<void()> arm, std::function<void()> disarm) {
    arm_ = std::move(arm);
    disarm_ = std::move(disarm);
  }

 private:
  Fold fold_;
  data::Batch batch_;
  nn::StateDict model_;
  nn::State optimizer_;
  std::function<void()> arm_ = [] {};
  std::function<void()> disarm_ = [] {};
};

class FailingAllocations : public FoldTest {
 protected:
  FailingAllocations() { options_.workers = 1; }
  ~FailingAllocations() override { keep_packed_weights(true); }

  /// The number of the attack that fails nothing, so that there are none beyond it.
  static constexpr std::int64_t kMostAttacks = 100000;

  struct Count {
    std::int64_t attacks = 0, repeated = 0, ended = 0;
  };

  /// work() with every `every`-th allocation failing; what it returns is one of `expected`, unless
  /// it throws Error.
  template <typename Result, typename Work>
  Count attack_with_new(Attacked& attacked, const std::vector<Result>& expected, const Work& work,
                        std::int64_t every = 1) {
    Count count;
    for (std::int64_t k = 1; k < kMostAttacks; k += every) {
      std::optional<FailingNew> failing;
      std::int64_t calls = 0;
      attacked.set_attack([&] { failing.emplace(k); },
                          [&] {
                            calls = failing->calls();
                            failing.reset();
                          });
      ++count.attacks;
      try {
        const Result result = work();
        EXPECT_THAT(expected, ::testing::Contains(result)) << "allocation " << k;
        ++count.repeated;
        if (calls < k) break;
      } catch (...) {
        failing.reset();
        EXPECT_THAT(training::current_failure().message, HasSubstr("memory")) << "allocation " << k;
        ++count.ended;
      }
      if (HasFailure()) break;
    }
    attacked.set_attack([] {}, [] {});
    return count;
  }
};

TEST_F(FailingAllocations, OfTensorsLeaveAStepToBeRepeatedToTheSameBits) {
  Attacked attacked(job());
  const std::string expected = attacked.step(1);
  EXPECT_EQ(attacked.step(1), expected);
  const double in_use = attacked.bytes_at_rest();
  std::int64_t attacks = 0;
  for (std::int64_t k = 1; k < kMostAttacks; ++k) {
    bool hit = false;
    attacked.set_attack([k] { tensors().refuse_request(k); },
                        [&hit] { hit = !tensors().refuse_request(0); });
    EXPECT_EQ(attacked.step(1), expected) << "request " << k;
    ++attacks;
    EXPECT_NEAR(attacked.bytes_at_rest(), in_use, kReuse) << "request " << k;
    if (!hit) break;
    ASSERT_LT(k, 1000);
  }
  EXPECT_GT(attacks, 20);
  EXPECT_THAT(reporter_.text, HasSubstr("computed again in the backward pass"));
}

TEST_F(FailingAllocations, OfOperatorNewLeaveAStepToBeRepeatedOrEndIt) {
  Attacked attacked(job());
  const std::vector<std::string> expected = {attacked.step(1), attacked.step(2)};
  const double in_use = attacked.bytes_at_rest();
  const Count count = attack_with_new(attacked, expected, [&] { return attacked.step(1); });
  EXPECT_GT(count.attacks, 200);
  EXPECT_LT(count.ended * 4, count.repeated) << "only what changes weights cannot be repeated";
  EXPECT_NEAR(attacked.bytes_at_rest(), in_use, kReuse);
  EXPECT_EQ(attacked.step(1), expected[0]) << "the process goes on";
}

TEST_F(FailingAllocations, LeaveNothingBehind) {
  Attacked attacked(job());
  const auto blocks_after = [&](std::int64_t k) {
    std::optional<FailingNew> failing;
    attacked.set_attack([&] { failing.emplace(k); }, [&] { failing.reset(); });
    try {
      attacked.step(1);
    } catch (const std::exception&) {  // a step that ended
      failing.reset();
    }
    attacked.set_attack([] {}, [] {});
    attacked.step(1);  // gradients and results as after any step
    reporter_.text.clear();
    reporter_.text.shrink_to_fit();
    return live_blocks();
  };
  for (std::int64_t k = 1; k < 100; k += 10) blocks_after(k);
  const std::int64_t before = blocks_after(0);
  for (std::int64_t k = 1; k < 600; k += 7)
    EXPECT_EQ(blocks_after(k), before) << "allocation " << k;
}

TEST_F(FailingAllocations, LeaveAnEvaluationItsResults) {
  Attacked attacked(job());
  const std::vector<std::vector<float>> expected = {attacked.evaluate()};
  const Count count = attack_with_new(attacked, expected, [&] { return attacked.evaluate(); });
  EXPECT_GT(count.attacks, 100);
  EXPECT_EQ(count.ended, 0);
  for (std::int64_t k = 1; k < 1000; ++k) {
    bool hit = false;
    attacked.set_attack([k] { tensors().refuse_request(k); },
                        [&hit] { hit = !tensors().refuse_request(0); });
    try {
      EXPECT_EQ(attacked.evaluate(), expected[0]) << "request " << k;
    } catch (const OutOfMemory&) {  // of a few bytes, beside the network
      hit = !tensors().refuse_request(0);
    }
    if (!hit) break;
  }
}

}  // namespace
}  // namespace hanok::test
