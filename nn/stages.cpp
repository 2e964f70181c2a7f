#include "hanok/nn/stages.h"

#include <algorithm>
#include <fmt/format.h>

#include "hanok/engine/allocator.h"
#include "hanok/engine/layer_scope.h"
#include "hanok/kernels/base/error.h"

namespace hanok::nn {

Stage stage_of(const Child<Sequential>& layers) {
  return {.children = {&layers},
          .run = [&layers](const Tensor& x) { return layers(x); },
          .blocks = layers ? layers->blocks() : std::vector<Block>()};
}

Stage followed_by(const Stage& stage, const Block& block) {
  Stage both = stage;
  both.run = [run = stage.run, block](const Tensor& x) { return block(run(x)); };
  if (!both.blocks.empty()) both.blocks.push_back(block);
  return both;
}

Tensor StagedModule::forward(const Tensor& x) {
  Tensor y = x;
  for (const Stage& stage : stages()) y = stage.run(y);
  return y;
}

Tensor StagedModule::forward_stages(const Tensor& x, std::size_t first, std::size_t last) {
  const std::vector<Stage> all = stages();
  if (first > last || last > all.size()) {
    throw ValueError(
        fmt::format("{}: no stages {} to {} among {}", type_name(), first, last, all.size()));
  }
  const LayerScope layer(this);
  const MemoryTag tag("activations");
  Tensor y = x;
  for (std::size_t i = first; i < last; ++i) y = all[i].run(y);
  return y;
}

std::vector<Block> StagedModule::blocks(std::size_t first) {
  const std::vector<Stage> all = stages();
  std::vector<Block> blocks;
  const auto add = [this, &blocks](const Block& block) {
    blocks.emplace_back([this, block](const Tensor& x) {
      const LayerScope layer(this);
      const MemoryTag tag("activations");
      return block(x);
    });
  };
  for (std::size_t i = first; i < all.size(); ++i) {
    if (all[i].blocks.empty() || i + 1 == all.size()) {
      add(all[i].run);
    } else {
      for (const Block& block : all[i].blocks) add(block);
    }
  }
  return blocks;
}

std::size_t StagedModule::frozen_stages() {
  const std::vector<Stage> all = stages();
  const auto frozen = [](const ChildSlot* slot) {
    Module* module = slot->module();
    return module == nullptr || module->parameters().empty() || module->is_frozen();
  };
  std::size_t count = 0;
  while (count + 1 < all.size() &&
         std::all_of(all[count].children.begin(), all[count].children.end(), frozen)) {
    ++count;
  }
  return count;
}

}  // namespace hanok::nn
