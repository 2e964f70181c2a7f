// The loop over epochs: how long it goes on, what it counts, and how it is broken off and resumed.
#include "hanok/apps/training/training_loop.h"

#include <cmath>
#include <csignal>
#include <gmock/gmock.h>

#include "hanok/apps/cli/signals.h"
#include "hanok/apps/training/samples/image_loading.h"
#include "tests/apps/fold.h"

namespace hanok::test {
namespace {

using training::FoldJob;
using training::MetricsLog;
using training::RunFolder;
using training::TrainingProgress;

class TrainingLoop : public FoldTest {
 protected:
  TrainingLoop() { options_.patience = 0; }
  ~TrainingLoop() override { training::clear_interrupt(); }

  FoldJob job_in(const RunFolder& folder, MetricsLog& log) {
    return {
        .options = options_, .data = data(), .reporter = reporter_, .folder = &folder, .log = &log};
  }
};

TEST_F(TrainingLoop, TrainsAllEpochsAndCountsThem) {
  Fold fold(job());
  EXPECT_EQ(fold.samples.steps_per_epoch, 3);
  EXPECT_TRUE(fold.loop.run());
  const TrainingProgress& progress = fold.state.progress;
  EXPECT_EQ(progress.epoch, 2);
  EXPECT_EQ(progress.step, 6);
  EXPECT_EQ(progress.step_in_epoch, 0);
  EXPECT_EQ(progress.images_trained, 36);
  EXPECT_EQ(progress.counts.seen, 0);
  EXPECT_GT(progress.training_seconds, 0);
  EXPECT_GE(progress.seconds, progress.training_seconds);
  EXPECT_GE(fold.state.early_stopping.best_epoch(), 0);
}

TEST_F(TrainingLoop, IsTheSameStepsAsAPlainLoop) {
  options_.epochs = 1;
  Fold fold(job());
  ASSERT_TRUE(fold.loop.run());

  Fold plain(job());
  plain.setup.freezing->apply(*plain.setup.model, 0);
  plain.setup.model->train();
  plain.batches.training->start_epoch(
      0, training::training_order(options_, plain.samples.dataset, plain.samples.training, 0));
  data::Batch batch;
  for (std::int64_t step = 0; plain.batches.training->next(batch); ++step) {
    plain.step.run(batch, {.step_in_epoch = step, .step = step},
                   training::StepRunner::GradientNorm::Skip);
  }
  EXPECT_EQ(fold.hash(), plain.hash());
}

TEST_F(TrainingLoop, EndsAtMaxStepsWithAWholeEpochsWork) {
  options_.max_steps = 4;
  const RunFolder folder = RunFolder::create(folder_ / "run");
  MetricsLog log(folder);
  Fold fold(job_in(folder, log));
  EXPECT_TRUE(fold.loop.run());
  EXPECT_EQ(fold.state.progress.step, 4);
  ASSERT_EQ(log.lines().size(), 2U);  // the short epoch is validated too
  EXPECT_EQ(log.lines()[1].step, 4);
}

TEST_F(TrainingLoop, EndsWithoutImprovement) {
  options_.epochs = 10;
  options_.patience = 2;
  options_.min_delta = 1000;
  Fold fold(job());
  EXPECT_TRUE(fold.loop.run());
  EXPECT_EQ(fold.state.progress.epoch, 3);  // the first is the best, two more were given a chance
  EXPECT_EQ(fold.state.early_stopping.best_epoch(), 0);
}

/// class2 is in fold 1 alone, so the training images of fold 1 lack it.
void keep_class2_for_validation(training::ExperimentData& data) {
  for (std::size_t i = 0; i < data.dataset.samples.size(); ++i) {
    data.repeats[0][i] = data.dataset.samples[i].label == 2 ? 1 : 0;
  }
}

TEST_F(TrainingLoop, ALossOverNoWeightIsNoNumberAndNeverTheBest) {
  options_.class_weights = training::ClassWeights::Balanced;
  options_.monitor = training::Monitor::ValLoss;
  options_.patience = 0;
  training::ExperimentData split = data();
  keep_class2_for_validation(split);
  const RunFolder folder = RunFolder::create(folder_ / "run");
  MetricsLog log(folder);
  const FoldJob job = {.options = options_,
                       .data = split,
                       .reporter = reporter_,
                       .fold = 1,
                       .folder = &folder,
                       .log = &log};
  Fold fold(job);
  EXPECT_TRUE(fold.loop.run());
  ASSERT_EQ(log.lines().size(), 2U);
  for (const training::EpochMetrics& line : log.lines()) {
    EXPECT_TRUE(std::isnan(line.val_loss));
    EXPECT_FALSE(line.best);
  }
  EXPECT_EQ(fold.state.early_stopping.best_epoch(), -1);
  const std::string warning =
      "warning: fold 1: the validation loss is nan: --class-weights balanced gives the validation "
      "images weight 0, as their classes have no training image; such an epoch is never the best\n";
  const std::size_t first = reporter_.text.find(warning);
  EXPECT_NE(first, std::string::npos) << reporter_.text;
  EXPECT_EQ(reporter_.text.find("warning:", first + 1), std::string::npos) << "said twice";
  EXPECT_TRUE(std::isnan(MetricsLog(folder).lines()[0].val_loss));  // and is read back
}

TEST_F(TrainingLoop, BrokenOffAnywhereItEndsWithTheSameBits) {
  options_.augment = training::parse_augment("light");
  options_.ema = 0.9;
  options_.log_steps = 1;
  const RunFolder whole_folder = RunFolder::create(folder_ / "whole");
  MetricsLog whole_log(whole_folder);
  Fold whole(job_in(whole_folder, whole_log));
  ASSERT_TRUE(whole.loop.run());

  const RunFolder folder = RunFolder::create(folder_ / "broken");
  training::watch_for_interrupts();
  for (int interrupts = 1; interrupts <= 5; ++interrupts) {  // after each step, before validation
    MetricsLog log(folder);
    Fold part(job_in(folder, log));
    EXPECT_EQ(part.checkpoints.resumed(), interrupts > 1);
    training::watch_for_interrupts();
    std::raise(SIGINT);
    const bool ended = part.loop.run();
    training::clear_interrupt();
    EXPECT_FALSE(ended) << interrupts;
    EXPECT_LE(part.state.progress.step, interrupts);
  }
  MetricsLog log(folder);
  Fold last(job_in(folder, log));
  EXPECT_TRUE(last.loop.run());
  EXPECT_EQ(last.hash(), whole.hash());
  EXPECT_EQ(last.state.progress.images_trained, whole.state.progress.images_trained);
  EXPECT_EQ(read_text(folder.steps(0)), read_text(whole_folder.steps(0)));
  ASSERT_EQ(log.lines().size(), whole_log.lines().size());
  for (std::size_t i = 0; i < log.lines().size(); ++i) {
    EXPECT_EQ(log.lines()[i].loss, whole_log.lines()[i].loss);
    EXPECT_EQ(log.lines()[i].val_loss, whole_log.lines()[i].val_loss);
  }
}

}  // namespace
}  // namespace hanok::test
