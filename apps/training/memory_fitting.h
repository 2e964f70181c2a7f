// Repeats work that ran out of memory in a way that needs less: first the memory of the recorded
// step (StepGraph) is given back, then batches are computed in more parts, as with
// --accumulate: losses and gradients add up to the batch's, batch norm sees fewer images at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "hanok/apps/cli/reporter.h"
#include "hanok/kernels/base/error.h"

#pragma GCC visibility push(default)
namespace hanok::training {

class MemoryFitting {
 public:
  /// Frees what is not needed for computing op by op, and reports why; false if there is nothing
  /// (more) to free.
  using GiveUp = std::function<bool(const std::string& why)>;

  /// `parts`: in how many a batch is computed at first, 1 or more.
  MemoryFitting(std::int64_t parts, Reporter& reporter, GiveUp give_up)
      : parts_(parts), reporter_(reporter), give_up_(std::move(give_up)) {}

  std::int64_t parts() const { return parts_; }
  /// Parts of a batch of `images`: no part has a single image, which has no batch statistics worth
  /// the name.
  std::int64_t parts_of(std::int64_t images) const;

  /// compute(parts), until it fits; an attempt that throws OutOfMemory leaves nothing behind.
  /// `where` names the step in the report: "fold 0, epoch 1, step 3". Rethrows where `images` can't
  /// be divided further.
  template <typename Compute>
  auto in_parts(std::int64_t images, const std::string& where, const Compute& compute) {
    for (;;) {
      try {
        return compute(parts_of(images));
      } catch (const OutOfMemory& error) {
        if (!give_up_(error.what()) && !divide(images, where, error.what())) throw;
      }
    }
  }

  /// action(), until it fits; for work that cannot be divided here. Rethrows where nothing can be
  /// freed.
  template <typename Action>
  auto whole(const Action& action) {
    for (;;) {
      try {
        return action();
      } catch (const OutOfMemory& error) {
        if (!give_up_(error.what())) throw;
      }
    }
  }

 private:
  /// Doubles the parts and reports it; false if `images` have as many as they can.
  bool divide(std::int64_t images, const std::string& where, const std::string& why);

  std::int64_t parts_;
  Reporter& reporter_;
  GiveUp give_up_;
};

}  // namespace hanok::training
#pragma GCC visibility pop
