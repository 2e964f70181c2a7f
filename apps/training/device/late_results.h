// Hands on the results of training steps without synchronising with a GPU: a step's results are
// copied to the host behind the step, and read when the next step has been launched.
//
//   add(step 1)   start copying 1
//   add(step 2)   start copying 2, finish copying 1, hand on 1
//   finish()                       finish copying 2, hand on 2
//
// On the CPU results are handed on at once.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>

#include "hanok/apps/training/device/device_readback.h"
#include "hanok/apps/training/step_outcome.h"

#pragma GCC visibility push(default)
namespace hanok::training {

class LateResults {
 public:
  /// Gets each step's outcome once, in order, with its results on the CPU.
  using Receiver = std::function<void(const StepOutcome&)>;

  /// `readback` is null on the CPU.
  LateResults(std::unique_ptr<Readback> readback, Receiver receive);

  void add(StepOutcome outcome);
  /// Delivers what is still being copied. If the receiver throws, that outcome is lost.
  void finish();

 private:
  struct Pending {
    StepOutcome outcome;
    std::size_t copy = 0;  // of the readback
  };

  std::unique_ptr<Readback> readback_;
  Receiver receive_;
  std::optional<Pending> pending_;
};

/// The readback that LateResults needs for steps on `device`.
std::unique_ptr<Readback> readback_for(Device device);

}  // namespace hanok::training
#pragma GCC visibility pop
