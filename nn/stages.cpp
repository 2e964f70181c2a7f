#include "hanok/nn/stages.h"

#include <algorithm>
#include <fmt/format.h>

#include "hanok/engine/allocator.h"
#include "hanok/engine/layer_scope.h"
#include "hanok/kernels/base/error.h"

namespace hanok::nn {

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
