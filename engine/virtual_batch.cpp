#include "hanok/engine/virtual_batch.h"

#include <algorithm>

#include "hanok/engine/ops/whole_batch_norm.h"

namespace hanok {
namespace {
thread_local VirtualBatchNorms* current = nullptr;
}

VirtualBatchNorms::VirtualBatchNorms() = default;
VirtualBatchNorms::~VirtualBatchNorms() = default;
VirtualBatchNorms::VirtualBatchNorms(VirtualBatchNorms&&) noexcept = default;
VirtualBatchNorms& VirtualBatchNorms::operator=(VirtualBatchNorms&&) noexcept = default;

VirtualBatchNorms::Part::Part(VirtualBatchNorms& norms) {
  norms.position_ = 0;
  current = &norms;
}
VirtualBatchNorms::Part::~Part() { current = nullptr; }

void VirtualBatchNorms::combine() {
  for (const std::shared_ptr<ops::WholeBatchNorm>& norm : norms_) {
    if (norm->collects()) norm->combine();
  }
}

bool VirtualBatchNorms::lacks_sums() const {
  return std::any_of(norms_.begin(), norms_.end(),
                     [](const auto& norm) { return !norm->has_sums(); });
}

bool VirtualBatchNorms::active() { return current != nullptr; }

std::shared_ptr<ops::WholeBatchNorm> VirtualBatchNorms::next() {
  if (current == nullptr) return nullptr;
  const std::size_t position = current->position_++;
  if (position == current->norms_.size()) {
    current->norms_.push_back(std::make_shared<ops::WholeBatchNorm>());
  }
  return current->norms_[position];
}

}  // namespace hanok
