// Models that are a chain of stages, so that a frozen prefix can be skipped.
#pragma once

#include <functional>
#include <vector>

#include "hanok/nn/module.h"

#pragma GCC visibility push(default)
namespace hanok::nn {

/// One stage: its function, and the children it uses.
struct Stage {
  std::vector<const ChildSlot*> children;
  std::function<Tensor(const Tensor&)> run;
};

/// A model whose forward() runs its stages in order. Only the last stage may draw random numbers,
/// so a frozen stage's output for an image never changes.
class StagedModule : public Module {
 public:
  /// The stages in order; together they are forward().
  virtual std::vector<Stage> stages() = 0;
  /// Runs all stages. A model may write them out instead; the bits are those of forward_stages().
  Tensor forward(const Tensor& x) override;
  /// Runs stages `first` to `last` - 1 of 0..stages().size(); forward() is forward_stages(x, 0,
  /// all). Throws ValueError if the range is invalid.
  Tensor forward_stages(const Tensor& x, std::size_t first, std::size_t last);
  /// Number of leading stages that freeze() froze, parameters and statistics alike; the last stage
  /// never counts.
  std::size_t frozen_stages();
};

}  // namespace hanok::nn
#pragma GCC visibility pop
