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

#pragma GCC visibility push(default)
namespace hanok::training {

class StepGraph {
 public:
  struct Settings {
    Device device;                    // the model's
    bool enabled = false;             // false, and on the CPU: every step runs op by op
    bool with_gradient_norm = false;  // some steps will request it, so a recording computes it
  };
  StepGraph(const TrainingStep& step, Reporter& reporter, const Settings& settings);
  ~StepGraph();

  /// Whether steps of a batch's shape will be computed again.
  enum class Shapes { Repeat, Once };
  /// Computes a step: see TrainingStep. The results stay as they are until the next step.
  StepResults run(const StepInputs& inputs, const StepRequest& request, Shapes shapes);

  /// To be called when more of the model may have changed than the values of its tensors: drops a
  /// recording that no longer fits. `cut`: leading stages that the batch source computes.
  void check_model(std::size_t cut);
  /// Frees a recording's memory and records no more, and reports `why`; false if there is no
  /// recording.
  bool give_up(const std::string& why);

  /// "recorded 2 times, replayed in 137 of 140 steps"; empty if it was not enabled.
  std::string describe() const;

 private:
  /// What two steps share if one's recording may be replayed for the other.
  struct Kind {
    Shape images, targets;
    DType images_type = DType::F32, targets_type = DType::I64;
    BatchCut cut{};
    LossPhase phase = LossPhase::WarmUp;
    bool operator==(const Kind&) const = default;
  };
  /// The addresses of the model's tensors and whether they learn.
  using Layout = std::vector<std::pair<const void*, bool>>;
  struct Recorded;

  Layout layout() const;
  bool is_recorded(const Kind& kind) const;
  void record(const Kind& kind, const StepInputs& inputs);
  StepResults replay(const StepInputs& inputs);
  void stop(const std::string& why);

  TrainingStep step_;
  Reporter& reporter_;
  Settings settings_;
  std::string why_not_;  // given up
  Layout layout_;
  std::size_t cut_ = 0;
  std::unique_ptr<Kind> warm_;  // the last step's kind, if it was one that repeats
  std::unique_ptr<Recorded> recorded_;
  std::int64_t steps_ = 0, recordings_ = 0, replays_ = 0;
};

}  // namespace hanok::training
#pragma GCC visibility pop
