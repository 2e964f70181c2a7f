// How a training step computes a batch that may not fit into memory at once.
#pragma once

#include <cstdint>

#pragma GCC visibility push(default)
namespace hanok::training {

struct BatchCut {
  std::int64_t parts = 1;  // their losses and gradients add up to the batch's
  /// Blocks of the network, from the first on, of which only the inputs are kept (recompute.h).
  std::int64_t recomputed = 0;
  /// The parts are those of a virtual batch (nn/virtual_batch.h): batch norm sees all of it.
  bool virtual_batch = false;

  bool is_virtual() const { return virtual_batch && parts > 1; }
  bool operator==(const BatchCut&) const = default;
};

}  // namespace hanok::training
#pragma GCC visibility pop
