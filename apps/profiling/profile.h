// Where the time of a step goes: --profile of finetune and predict.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "hanok/apps/cli/reporter.h"
#include "hanok/engine/communicator.h"
#include "hanok/engine/profiler.h"
#include "hanok/kernels/base/device.h"
#include "hanok/nn/module.h"

#pragma GCC visibility push(default)
namespace hanok::training {

/// The machine's peak rates, measured.
struct Ceilings {
  double flop_per_second = 0, bytes_per_second = 0;
  /// Lower bound of a kernel's seconds: the roofline.
  double bound(const KernelCall& call) const;
};

/// Everything that was recorded.
struct ProfileData {
  struct Step {
    double start = 0, end = 0;  // on the clock of the calls
  };
  /// What this rank sent and received, waiting for others included.
  struct Sending {
    std::string operation;
    double start = 0, end = 0;  // on the same clock
    std::size_t bytes = 0;
    bool in_background = false;  // sums of gradients, beside the backward pass
  };
  std::string title;  // "finetune resnet18, batch 32"
  std::vector<Step> steps;
  std::vector<Sending> sendings{};  // none on one rank
  std::vector<KernelCall> calls;
  std::map<const void*, std::string> layer_names;
  std::vector<const void*> layer_order;
  Ceilings ceilings;
  std::size_t peak_memory = 0;  // highest sum of in-use bytes after a kernel, and what made it up
  std::map<std::string, std::size_t> peak_memory_by_tag;

  std::string layer_name(const KernelCall& call) const;
};

/// The trace in Chrome's event format, which Perfetto and chrome://tracing open: steps with their
/// passes, kernels, and memory by tag over time.
std::string trace_json(const ProfileData& data);
/// A row per layer and pass: time, FLOP, bytes, per cent of the roofline; then memory by tag.
std::string profile_table(const ProfileData& data);
/// What the ranks' communication takes of a step, and how much of it lies beside kernels. Empty on
/// one rank.
std::string communication_text(const ProfileData& data);

/// Throws UsageError unless --profile can measure there: on a GPU kernels run after the call.
void check_profile_device(Device device);

/// Profiles the first steps of a loop; later steps are not slowed.
class StepProfile {
 public:
  static constexpr std::int64_t kWarmUpSteps = 2, kRecordedSteps = 20;

  /// Writes `path`.json (the trace) and `path`.txt (the table), and prints the table. Measures the
  /// ceilings: about 0.1 s.
  StepProfile(Reporter& reporter, std::string path, std::string title);
  /// Names the layers of a network that the steps run through.
  void add_model(nn::Module& model);

  ~StepProfile();

  /// Around each step. `remaining`: steps that will follow this one for sure; where there are too
  /// few to warm up, the first ones are recorded.
  void begin_step(std::int64_t remaining);
  void end_step();
  /// Cancels begin_step(): there was no step to do.
  void abandon_step();
  bool is_done() const { return profiler_ == nullptr; }
  /// Writes the files, prints the table. Does nothing if no step was recorded or if it is done.
  void finish();

 private:
  void record(const Communication& communication);

  Reporter& reporter_;
  std::string path_;
  ProfileData data_;
  std::mutex mutex_;  // of data_.sendings
  std::unique_ptr<Profiler> profiler_;
  std::int64_t begun_ = 0;
  bool in_step_ = false;  // a recorded one
};

}  // namespace hanok::training
#pragma GCC visibility pop
