// Trains one fold: epochs of steps, validation, early stopping, checkpoints.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hanok/apps/cli/progress.h"
#include "hanok/apps/cli/reporter.h"
#include "hanok/apps/options/options.h"
#include "hanok/apps/profiling/profile.h"
#include "hanok/apps/run/checkpoint.h"
#include "hanok/apps/run/fold_result.h"
#include "hanok/apps/run/run_folder.h"
#include "hanok/apps/run/step_log.h"
#include "hanok/apps/training/device_readback.h"
#include "hanok/apps/training/device_upload.h"
#include "hanok/apps/training/early_stopping.h"
#include "hanok/apps/training/evaluation.h"
#include "hanok/apps/training/experiment_data.h"
#include "hanok/apps/training/feature_cache.h"
#include "hanok/apps/training/freezing.h"
#include "hanok/apps/training/loss.h"
#include "hanok/apps/training/step_graph.h"
#include "hanok/apps/training/training_step.h"
#include "hanok/data/loader.h"
#include "hanok/engine/allocator.h"
#include "hanok/kernels/base/error.h"
#include "hanok/nn/ema.h"
#include "hanok/nn/module.h"
#include "hanok/nn/optim.h"
#include "hanok/nn/schedule.h"

namespace hanok::training {

/// One fold's task. With `folder` null nothing is written and nothing resumed.
struct FoldJob {
  const Options& options;
  const ExperimentData& data;
  Reporter& reporter;  // says what the user should see
  int fold = 0;
  const RunFolder* folder = nullptr;
  MetricsLog* log = nullptr;
  std::string start_weights;       // file to start from; empty: random weights
  bool shuffle_labels = false;     // the training images' labels, as a baseline
  StepProfile* profile = nullptr;  // of the first steps; may be null
};

/// What a few steps and a bit of validation measured.
struct Rehearsal {
  std::int64_t trainable = 0;    // parameters that learn
  double epoch_seconds = 0;      // of a whole epoch, validation included
  double first_epoch_extra = 0;  // seconds for what later epochs need not do again
  MemoryStatistics memory;       // with the peak of tensors
};

class Trainer {
 public:
  /// Builds the network, and takes up the fold's last checkpoint if there is one.
  explicit Trainer(const FoldJob& job);

  /// Trains to the end. Empty if the user interrupted; everything is saved then. Throws
  /// NonFiniteLoss.
  std::optional<FoldResult> run();

  /// Measures what training as in `epoch` takes, on a few steps. The trainer is not to be run
  /// afterwards.
  Rehearsal rehearse(std::int64_t epoch);

  nn::Module& model() const { return *model_; }
  const FreezingPlan& freezing() const { return *freezing_; }
  const nn::Optimizer& optimizer() const { return *optimizer_; }
  /// What the starting weights left out; for the user.
  const std::string& start_note() const { return start_note_; }

 private:
  bool finished() const;
  bool train_epoch();
  /// What is counted of a step: on a GPU its results are read from there when the next step is
  /// under way.
  struct StepOutcome {
    StepResults results;
    std::int64_t epoch = 0, step_in_epoch = 0, step = 0;
    double learning_rate = 0;
    bool logged = false;
    std::vector<std::int64_t> truth, samples;
    std::size_t readback = 0;
  };
  StepInputs inputs_of(const data::Batch& batch);
  std::int64_t parts_of(std::int64_t images) const;
  StepResults compute_step(const StepInputs& inputs, const StepOutcome& outcome);
  StepResults compute_fitting(const data::Batch& batch, const StepOutcome& outcome);
  void make_room(const OutOfMemory& error, std::int64_t images);
  void step(data::Batch& batch);
  std::string spill_folder() const;
  void make_loaders(bool drop_last);
  bool profiled_next(data::Batch& batch);
  bool next_fitting(data::Batch& batch);
  std::optional<Evaluation> validate();
  std::int64_t steps_left() const;
  bool end_epoch();
  FoldResult make_result(const Evaluation& evaluation) const;
  void check_finite(double loss, const StepOutcome& outcome) const;
  void count_step(const StepOutcome& outcome);
  void finish_pending_step();
  std::string batch_names(const std::vector<std::int64_t>& samples) const;

  ModelCard card() const;
  void save_best();
  void save_last();
  void save_last_if_due();
  void load_last();

  FoldJob job_;
  data::Dataset dataset_;
  std::vector<std::int64_t> training_, validation_;
  std::int64_t classes_, steps_per_epoch_, images_per_epoch_;
  Tensor class_weights_;
  Device device_;
  std::string head_, start_note_;
  std::unique_ptr<nn::Module> model_;
  std::unique_ptr<FreezingPlan> freezing_;
  std::unique_ptr<nn::Optimizer> optimizer_;
  std::unique_ptr<nn::Schedule> schedule_;
  std::unique_ptr<TrainingLoss> loss_;
  std::unique_ptr<nn::Ema> ema_;            // null without --ema
  std::unique_ptr<nn::GradScaler> scaler_;  // of the loss; only with --precision f16
  std::unique_ptr<StepLog> step_log_;
  DeviceUpload upload_;
  DeviceReadback readback_;
  std::optional<StepOutcome> pending_step_;  // on a GPU: the last one, whose results are to come
  std::unique_ptr<data::Loader> training_loader_, validation_loader_;
  std::unique_ptr<FeatureCache> training_batches_, validation_batches_;
  std::unique_ptr<StepGraph> step_graph_;
  EarlyStopping early_stopping_;
  nn::StateDict best_weights_;

  // Where the training stands; saved in last/.
  std::int64_t parts_ = 1;  // of a full batch: --accumulate, or more where memory was short
  std::int64_t epoch_ = 0;  // 0 is the first
  std::int64_t step_in_epoch_ = 0;
  std::int64_t step_ = 0;       // of the whole fold
  bool epoch_trained_ = false;  // the epoch's steps are done, its validation is not
  double loss_sum_ = 0;         // over this epoch's images
  std::int64_t correct_ = 0, seen_ = 0;
  double epoch_seconds_ = 0;  // training steps of this epoch
  double seconds_ = 0, training_seconds_ = 0;
  std::int64_t images_trained_ = 0;

  Clock::time_point started_, last_saved_;
  double save_seconds_ = 0;
  bool saved_ = false;
};

}  // namespace hanok::training
