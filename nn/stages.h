// Models that are a chain of stages, so that work can begin behind a frozen beginning.
#pragma once

#include <functional>
#include <vector>

#include "hanok/nn/module.h"

namespace hanok::nn {

/// One link of the chain: what it computes, and the children that it is made of.
struct Stage {
  std::vector<const ChildSlot*> children;
  std::function<Tensor(const Tensor&)> run;
};

/// A model whose forward() is its stages one after the other. All stages but the last draw nothing
/// at random, so what a frozen stage gives for an image is always the same.
class StagedModule : public Module {
 public:
  virtual std::vector<Stage> stages() = 0;
  /// All stages.
  Tensor forward(const Tensor& x) override;
  /// Stages `first` to `last` - 1 of 0..stages().size(); forward() is (x, 0, all). Throws
  /// ValueError for other numbers.
  Tensor forward_stages(const Tensor& x, std::size_t first, std::size_t last);
  /// How many stages from the first one on are frozen by freeze(), parameters and statistics alike;
  /// the last stage never counts.
  std::size_t frozen_stages();
};

}  // namespace hanok::nn
