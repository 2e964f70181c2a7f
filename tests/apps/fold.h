// The training of a small fold within the test's own process, piece by piece.
#pragma once

#include <gtest/gtest.h>
#include <string>

#include "hanok/apps/options/options.h"
#include "hanok/apps/run/run_folder.h"
#include "hanok/apps/training/samples/experiment_data.h"
#include "hanok/apps/training/training_loop.h"
#include "tests/apps/program.h"
#include "tests/support/recording_reporter.h"

namespace hanok::test {

/// Options for drawn photographs of three classes: a fold of 18 training and 18 validation images,
/// three steps an epoch. Change `options_` before the first use of data().
class FoldTest : public ::testing::Test {
 protected:
  FoldTest() {
    options_.data = draw_photos(folder_ / "photos");
    options_.layout = training::Layout::Folder;
    options_.model = "lenet";
    options_.weights = training::parse_start_weights("none");
    options_.image_size = 32;
    options_.batch_size = 6;
    options_.epochs = 2;
    options_.folds = training::parse_fold_count("2");
    options_.threads = 1;
    options_.device = training::parse_device("cpu");
    options_.augment = training::parse_augment("none");
    options_.scheduler = training::ScheduleKind::Constant;
  }

  const training::ExperimentData& data() {
    if (data_.fold_count == 0) data_ = training::prepare_data(options_);
    return data_;
  }
  /// With nothing to be written.
  training::FoldJob job() { return {.options = options_, .data = data(), .reporter = reporter_}; }

  TemporaryFolder folder_;
  training::Options options_;
  RecordingReporter reporter_;

 private:
  training::ExperimentData data_;
};

/// All pieces of a fold's training, put together as Trainer does.
struct Fold {
  explicit Fold(const training::FoldJob& given)
      : job(given),
        samples(job),
        setup(job, samples),
        batches(job, samples, setup),
        checkpoints(job, samples, setup),
        state(checkpoints.load()),
        step({.job = job,
              .samples = samples,
              .setup = setup,
              .batches = *batches.training,
              .cut = {.parts = state.progress.parts}}),
        loop({.job = job,
              .samples = samples,
              .setup = setup,
              .batches = batches,
              .step = step,
              .checkpoints = checkpoints,
              .state = state}) {}

  std::string hash() { return training::weights_hash(*setup.model); }

  training::FoldJob job;
  training::FoldSamples samples;
  training::TrainingSetup setup;
  training::FoldBatches batches;
  training::FoldCheckpoints checkpoints;
  training::FoldState state;
  training::StepRunner step;
  training::TrainingLoop loop;
};

}  // namespace hanok::test
