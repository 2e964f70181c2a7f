// Training steps as a CUDA graph: where shapes repeat, a step is recorded and then replayed, so
// that the host launches it as a whole instead of a kernel at a time. The bits are those of steps
// computed op by op.
//
// The first step of a kind runs op by op: it makes what is made at first use (plans of
// convolutions, moments). The second is recorded. A change of what learns (another freezing stage),
// of the batch's shape or of its parts makes another kind of step.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "hanok/apps/cli/reporter.h"
#include "hanok/apps/training/training_step.h"
#include "hanok/engine/recording.h"

namespace hanok::training {

class StepGraph {
 public:
  /// With `enabled` false every step runs op by op.
  StepGraph(const TrainingStep& step, Device device, bool enabled, Reporter& reporter);
  ~StepGraph();

  /// Does a step: see TrainingStep. `norm_now`, `norm_ever`: the norm of gradients is asked of this
  /// step, of any; `repeats`: others of this shape will follow. The results stay as they are until
  /// the next step.
  StepResults run(const StepInputs& inputs, std::int64_t parts, bool norm_now, bool norm_ever,
                  bool repeats);
  const TrainingStep& step() const { return step_; }

  /// To be told when the model may have changed but for the values of its tensors: forgets a
  /// recording that is of no use any more. `cut`: stages that the batch source stands for.
  void check_model(std::size_t cut);
  /// Gives a recording's memory back and records no more; false if there is no recording. The user
  /// is told `why`.
  bool give_up(const std::string& why);

  /// "recorded 2 times, replayed in 137 of 140 steps"; empty if it was not enabled.
  std::string describe() const;

 private:
  /// What two steps share if one's recording may stand for the other.
  struct Kind {
    Shape images, targets;
    DType images_type = DType::F32, targets_type = DType::I64;
    std::int64_t parts = 1;
    bool operator==(const Kind&) const = default;
  };
  /// The addresses of the model's tensors and whether they learn.
  using Layout = std::vector<std::pair<const void*, bool>>;
  struct Recorded;

  Layout layout() const;
  bool is_recorded(const Kind& kind) const;
  void record(const Kind& kind, const StepInputs& inputs, std::int64_t parts, bool with_norm);
  StepResults replay(const StepInputs& inputs);
  void stop(const std::string& why);

  TrainingStep step_;
  Device device_;
  bool enabled_;
  Reporter& reporter_;
  std::string why_not_;  // given up
  Layout layout_;
  std::size_t cut_ = 0;
  std::unique_ptr<Kind> warm_;  // the last step's kind, if it was one that repeats
  std::unique_ptr<Recorded> recorded_;
  std::int64_t steps_ = 0, recordings_ = 0, replays_ = 0;
};

}  // namespace hanok::training
