// Repeats work that ran out of memory in a way that needs less. First what can be spared is given
// back: the memory of the recorded step (StepGraph), then caches (engine/reclaim.h). Then batches
// are computed in more parts, as with --accumulate: losses and gradients add up to the batch's,
// batch norm sees fewer images at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/cli/reporter.h"

#pragma GCC visibility push(default)
namespace hanok::training {

/// Where memory was refused: gives caches back, and reports it. Returns whether trying again may
/// help: because there were some, or (once, until `tried_again` is reset) because free blocks went
/// back to a system that refused memory to something else than tensors.
bool make_room(const LackOfMemory& lack, bool& tried_again, Reporter& reporter);

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

  /// compute(parts), until it fits; an attempt that throws OutOfMemory or std::bad_alloc leaves
  /// nothing behind. `where` names the step in the report: "fold 0, epoch 1, step 3". Rethrows
  /// where `images` can't be divided further.
  template <typename Compute>
  auto in_parts(std::int64_t images, const std::string& where, const Compute& compute) {
    bool tried_again = false;
    for (;;) {
      try {
        return compute(parts_of(images));
      } catch (...) {
        const LackOfMemory lack = lack_of_memory();
        if (spare(lack, tried_again)) continue;
        if (!divide(images, where, lack.message)) throw;
        tried_again = false;
      }
    }
  }

  /// action(), until it fits; for work that cannot be divided here. Rethrows where nothing can be
  /// freed.
  template <typename Action>
  auto whole(const Action& action) {
    bool tried_again = false;
    for (;;) {
      try {
        return action();
      } catch (...) {
        if (!spare(lack_of_memory(), tried_again)) throw;
      }
    }
  }

 private:
  bool spare(const LackOfMemory& lack, bool& tried_again) {
    return give_up_(lack.message) || make_room(lack, tried_again, reporter_);
  }
  /// Doubles the parts and reports it; false if `images` have as many as they can.
  bool divide(std::int64_t images, const std::string& where, const std::string& why);

  std::int64_t parts_;
  Reporter& reporter_;
  GiveUp give_up_;
};

}  // namespace hanok::training
#pragma GCC visibility pop
