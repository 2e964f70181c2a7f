// The object behind a Tensor handle. Only engine code and ops look inside.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <variant>
#include <vector>

#include "hanok/engine/storage.h"
#include "hanok/engine/tensor.h"
#include "hanok/kernels/backend.h"

#pragma GCC visibility push(default)
namespace hanok {

/// A parameter's values in another form: packed for convolutions, or of another element type. Kept
/// only while the parameter does not change.
struct PackedWeights {
  std::variant<Conv2dPackKey, DType> key;
  std::uint64_t version = 0;       // of the storage it was made from
  std::shared_ptr<Storage> bytes;  // counted by the allocator
};

class Recomputation;
struct KeptNorm;  // engine/ops/norm.cpp

struct TensorImpl {
  std::shared_ptr<Storage> storage;
  std::int64_t offset = 0;  // elements
  Shape shape;
  DType dtype = DType::F32;

  bool requires_grad = false;  // of a leaf
  std::shared_ptr<Node> node;  // the op that made it; null for leaves
  std::weak_ptr<Recomputation> recomputation;
  Tensor grad;
  std::vector<std::function<void(const Tensor&)>> grad_hooks;
  std::vector<PackedWeights> packs;
  std::shared_ptr<const KeptNorm> folded_norm;  // of a running variance
};

}  // namespace hanok
#pragma GCC visibility pop
