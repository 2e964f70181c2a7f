// Repeats work that ran out of memory in a way that needs less. First what can be spared is given
// back: the memory of the recorded step (StepGraph), then caches (engine/reclaim.h). Then more and
// more blocks of the network keep nothing but their inputs, and are computed a second time in the
// backward pass: the same bits. Then batches are computed in more parts, as with --accumulate:
// losses and gradients add up to the batch's, and batch norm sees fewer images at a time, but for
// the parts of a virtual batch.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/cli/reporter.h"
#include "hanok/apps/training/batch_cut.h"

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

  struct Context {
    BatchCut cut{};  // of a batch at first
    Reporter& reporter;
    GiveUp give_up;
    /// How many blocks can be recomputed now. None by default.
    std::function<std::int64_t()> blocks{};
    /// Other ranks compute the same batch: the cut stays as it is.
    bool fixed = false;
  };
  explicit MemoryFitting(Context context) : cut_(context.cut), context_(std::move(context)) {}

  std::int64_t parts() const { return cut_.parts; }
  std::int64_t recomputed() const { return cut_.recomputed; }
  /// That of a batch of `images`: no part has a single image, which has no batch statistics worth
  /// the name, unless they are those of a virtual batch.
  BatchCut cut_of(std::int64_t images) const;

  /// compute(cut), until it fits; an attempt that throws OutOfMemory or std::bad_alloc leaves
  /// nothing behind. `where` names the step in the report: "fold 0, epoch 1, step 3". Rethrows
  /// where `images` can't be divided further.
  template <typename Compute>
  auto in_parts(std::int64_t images, const std::string& where, const Compute& compute) {
    bool tried_again = false;
    for (;;) {
      try {
        return compute(cut_of(images));
      } catch (...) {
        const LackOfMemory lack = lack_of_memory();
        if (context_.fixed) throw;  // the others wait within the step
        if (spare(lack, tried_again)) continue;
        if (!recompute_more(where, lack.message) && !divide(images, where, lack.message)) throw;
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
    return context_.give_up(lack.message) || make_room(lack, tried_again, context_.reporter);
  }
  /// Twice as many blocks, or a first one; reports it. False if there are no more.
  bool recompute_more(const std::string& where, const std::string& why);
  /// Doubles the parts and reports it; false if `images` have as many as they can.
  bool divide(std::int64_t images, const std::string& where, const std::string& why);

  BatchCut cut_;
  Context context_;
};

}  // namespace hanok::training
#pragma GCC visibility pop
