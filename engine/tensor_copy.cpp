// Copies of tensors: to another device, to another element type, and alone. They are ops: where the
// source needs a gradient and a gradient exists, the copy is part of the graph.
#include "hanok/engine/autograd.h"
#include "hanok/engine/device_copy.h"
#include "hanok/engine/runtime.h"
#include "hanok/engine/tensor.h"

namespace hanok {
namespace {

bool is_float(DType dtype) { return dtype != DType::U8 && dtype != DType::I64; }

// y = x elsewhere, in another type, or just once more; dx = dy where x is and in x's type (rounding
// counts as the identity).

class CopyNode final : public Node {
 public:
  CopyNode(const char* name, const Tensor& x)
      : name_(name), device_(x.device()), dtype_(x.dtype()) {}
  const char* name() const override { return name_; }
  std::vector<Tensor> backward(const Tensor& dy) override { return {dy.to(device_).to(dtype_)}; }
  void release_saved() override {}
  bool runs_again() const override { return true; }

 private:
  const char* name_;
  Device device_;
  DType dtype_;
};

void record_copy(const char* name, Tensor& copy, const Tensor& x) {
  if (!any_requires_grad({x})) return;
  auto node = std::make_shared<CopyNode>(name, x);
  set_inputs(*node, {x});
  record(copy, std::move(node));
}

}  // namespace

Tensor Tensor::to(Device target) const {
  if (target == device()) return *this;
  Tensor result = empty(shape(), {dtype(), target});
  copy_bytes(target, result.mutable_view().data, device(), view().data, bytes());
  record_copy("to", result, *this);
  return result;
}

Tensor Tensor::to(DType target) const {
  if (target == dtype()) return *this;
  Tensor result = empty(shape(), {target, device()});
  run_on(device(), Cast{result.mutable_view(), view()});
  if (is_float(target)) record_copy("to", result, *this);
  return result;
}

Tensor Tensor::clone() const {
  Tensor result = empty(shape(), {dtype(), device()});
  result.copy_from(*this);
  record_copy("clone", result, *this);
  return result;
}

}  // namespace hanok
