// Models that are a chain of stages, so that a frozen prefix can be skipped.
#pragma once

#include <functional>
#include <vector>

#include "hanok/nn/containers.h"
#include "hanok/nn/module.h"

#pragma GCC visibility push(default)
namespace hanok::nn {

/// A part of a network: a function of its input and of the parameters of some layers.
using Block = std::function<Tensor(const Tensor&)>;

/// One stage: its function, and the children it uses.
struct Stage {
  std::vector<const ChildSlot*> children;
  Block run;
  /// Blocks that are `run`, one after the other; empty: run cannot be cut.
  std::vector<Block> blocks{};
};

/// A stage that runs all modules of a Sequential.
Stage stage_of(const Child<Sequential>& layers);
/// `stage`, and then `block`, which has no parameters.
Stage followed_by(const Stage& stage, const Block& block);

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
  /// The stages from `first` on, cut as fine as they can be but for the last stage, which is the
  /// last block: one after the other they are forward_stages(x, first, all). Each sets the
  /// LayerScope and the MemoryTag that it needs. Forward hooks of a chain that is cut are not
  /// called.
  std::vector<Block> blocks(std::size_t first = 0);
  /// Number of leading stages that freeze() froze, parameters and statistics alike; the last stage
  /// never counts.
  std::size_t frozen_stages();
};

}  // namespace hanok::nn
#pragma GCC visibility pop
