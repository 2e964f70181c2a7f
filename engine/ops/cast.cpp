#include "hanok/engine/ops/cast.h"

#include <algorithm>
#include <fmt/format.h>
#include <mutex>

#include "hanok/engine/allocator.h"
#include "hanok/engine/autograd.h"
#include "hanok/engine/ops/common.h"
#include "hanok/engine/precision.h"
#include "hanok/engine/storage.h"
#include "hanok/engine/tensor_impl.h"
#include "hanok/kernels/base/error.h"
#include "hanok/kernels/cuda_runtime.h"

namespace hanok::ops {

namespace {

bool is_float(DType dtype) {
  return dtype == DType::F32 || dtype == DType::F16 || dtype == DType::BF16;
}

// y = x rounded to another type; dx = dy rounded to x's (the rounding counts as the identity).

class CastNode final : public Node {
 public:
  explicit CastNode(DType input) : input_(input) {}
  const char* name() const override { return "cast"; }
  std::vector<Tensor> backward(const Tensor& dy) override { return {dy.to(input_)}; }
  void release_saved() override {}
  bool runs_again() const override { return true; }

 private:
  DType input_;
};

/// In a step that is being recorded no earlier result may replace a kernel: the replay must compute
/// it from the parameter's values at that time.
bool is_recorded_step(Device device) {
  return !device.is_cpu() && cuda_runtime()->is_capturing(device.index);
}

}  // namespace

bool is_half(const Tensor& x) {
  return x.defined() && !x.device().is_cpu() &&
         (x.dtype() == DType::F16 || x.dtype() == DType::BF16);
}

Tensor cast(const Tensor& x, DType dtype) {
  check_defined("cast", {{"input", x}});
  if (x.dtype() == dtype) return x;
  if (any_requires_grad({x}) && !(is_float(x.dtype()) && is_float(dtype))) {
    throw DTypeError(
        fmt::format("cast: {} has no gradient through {}", x.to_string(), hanok::name_of(dtype)));
  }
  Tensor y = empty_on(x, x.shape(), dtype);
  const Target target(x);
  target.run(Cast{y.mutable_view(), x.view()});
  if (any_requires_grad({x})) {
    auto node = std::make_shared<CastNode>(x.dtype());
    set_inputs(*node, {x});
    record(y, std::move(node));
  }
  return y;
}

Tensor in_compute_type(const char* op, const Tensor& x) {
  const DType dtype = compute_dtype(precision());
  if (dtype == DType::F32 || !x.defined()) return x;
  if (x.device().is_cpu()) {
    throw DeviceError(
        fmt::format("{}: the CPU computes in f32 and int16 alone, not in {}; input {}", op,
                    hanok::name_of(dtype), x.to_string()));
  }
  return x.dtype() == DType::F32 ? cast(x, dtype) : x;
}

Tensor weight_in_compute_type(const Tensor& weight) {
  const DType dtype = compute_dtype(precision());
  if (dtype == weight.dtype()) return weight;
  const MemoryTag tag("16-bit weights");
  const Tensor values = weight.detach();
  if (any_requires_grad({weight}) || is_recorded_step(weight.device())) return values.to(dtype);
  static std::mutex mutex;  // two threads may evaluate one model
  const std::lock_guard lock(mutex);
  std::vector<PackedWeights>& packs = weight.impl().packs;
  const auto stale = [&](const PackedWeights& pack) { return pack.version != weight.version(); };
  packs.erase(std::remove_if(packs.begin(), packs.end(), stale), packs.end());
  for (const PackedWeights& pack : packs) {
    if (const auto* kept = std::get_if<DType>(&pack.key); kept && *kept == dtype) {
      return Tensor::wrap(pack.bytes, 0, weight.shape(), dtype);
    }
  }
  const Tensor copy = values.to(dtype);
  packs.push_back({dtype, weight.version(), copy.storage()});
  return copy;
}

Tensor widened(const Tensor& x) { return is_half(x) ? cast(x, DType::F32) : x; }

}  // namespace hanok::ops
