// Runs the steps of a training: learning rate, random draws, targets, then the step itself in a way
// that fits into memory. Training, --check and --plan run their steps here.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/training/anomaly_watch.h"
#include "hanok/apps/training/device/device_upload.h"
#include "hanok/apps/training/fold_job.h"
#include "hanok/apps/training/memory_fitting.h"
#include "hanok/apps/training/samples/batch_source.h"
#include "hanok/apps/training/samples/fold_samples.h"
#include "hanok/apps/training/step_graph.h"
#include "hanok/apps/training/step_outcome.h"
#include "hanok/apps/training/training_setup.h"

#pragma GCC visibility push(default)
namespace hanok::training {

/// As the options say, before memory runs short.
BatchCut first_cut(const Options& options);

class StepRunner {
 public:
  /// All of it outlives the runner.
  struct Context {
    const FoldJob& job;
    const FoldSamples& samples;
    TrainingSetup& setup;
    BatchSource& batches;  // of setup.model: where the batches come from
    BatchCut cut{};        // of a batch at first
  };
  explicit StepRunner(const Context& context);

  /// The next batch, for the step at `position`; false at the epoch's end. Throws NonFiniteLoss
  /// where --detect-anomaly finds something in a frozen beginning of the network.
  bool next(data::Batch& batch, const StepPosition& position);

  enum class GradientNorm { Skip, Compute };
  /// One step on `batch`: weights, moments and statistics change, or, if it throws, nothing does
  /// (on a GPU, a loss that is not finite is found only later: see check_finite()). The results are
  /// on the model's device. Throws NonFiniteLoss and OutOfMemory.
  StepOutcome run(const data::Batch& batch, const StepPosition& position, GradientNorm norm);

  /// Throws NonFiniteLoss, naming the batch's images, unless the loss is finite. `outcome` is on
  /// the CPU.
  void check_finite(const StepOutcome& outcome) const;
  /// To be called before an epoch: see StepGraph::check_model().
  void check_model(std::size_t cut) { graph_.check_model(cut); }

  MemoryFitting& fitting() { return fitting_; }
  std::string describe_graph() const { return graph_.describe(); }

 private:
  /// work(), with --detect-anomaly watched; `samples`: of the batch, for the message.
  template <typename Work>
  auto watched(const StepPosition& position, const std::vector<std::int64_t>& samples,
               const Work& work) const;
  /// Throws UsageError where the model cannot be computed so.
  void check_virtual_batch() const;
  StepInputs inputs_of(const data::Batch& batch, const StepPosition& position);
  /// Where a training ends by a value that is not finite.
  NonFiniteLoss failure(const StepPosition& position, const std::vector<std::int64_t>& samples,
                        const std::string& what) const;
  void check_finite(double loss, const StepPosition& position,
                    const std::vector<std::int64_t>& samples) const;

  Context context_;
  DeviceUpload upload_;
  StepGraph graph_;
  MemoryFitting fitting_;
  AnomalyWatch anomalies_;
};

}  // namespace hanok::training
#pragma GCC visibility pop
