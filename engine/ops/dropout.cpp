// Dropout.
#include <fmt/format.h>

#include "hanok/engine/autograd.h"
#include "hanok/engine/generator.h"
#include "hanok/engine/ops.h"
#include "hanok/engine/ops/common.h"
#include "hanok/engine/sliced_batch.h"

namespace hanok::ops {

namespace {

// y = x m / (1-p), m_i = 1 with probability 1-p, else 0.   dx = dy m / (1-p)
//
// The mask is not kept: it is a pure function of the random call, so backward recomputes it. The
// (epoch, step) that the call reads is copied, because the generator may have moved on by then.

class DropoutNode final : public Node {
 public:
  DropoutNode(const RandomCall& call, const Tensor& epoch_step, float p)
      : call_(call), epoch_step_(epoch_step), p_(p) {
    call_.epoch_step = epoch_step_.view();
  }
  const char* name() const override { return "dropout"; }
  std::vector<Tensor> backward(const Tensor& dy) override {
    Tensor dx = empty_like(dy);
    const Target target(dy);
    target.run(Dropout{.call = call_, .p = p_, .x = dy.view(), .y = dx.mutable_view()});
    return {dx};
  }
  void release_saved() override { epoch_step_ = Tensor(); }

 private:
  RandomCall call_;
  Tensor epoch_step_;
  float p_;
};

Tensor copy_of(const ConstView& view, Device device) {
  Tensor copy = Tensor::empty(view.shape, {view.dtype, device});
  const Target target(copy);
  const Strides strides = row_major_strides(view.shape);
  target.run(StridedCopy{{copy.mutable_view().data, view.dtype, view.shape, strides},
                         {view.data, view.dtype, view.shape, strides}});
  return copy;
}

/// x is a slice of a batch, whose images get the mask that they have in the whole of it.
Tensor dropout_of_slice(const Tensor& x, float p, const RandomCall& call,
                        const SlicedBatch& batch) {
  const SlicedBatch::Slice& slice = SlicedBatch::current_slice();
  Shape whole = x.shape();
  if (whole.rank() == 0 || whole[0] != slice.images()) {
    throw_value_error("dropout", fmt::format("within a slice of {} images", slice.images()),
                      {{"input", x}});
  }
  whole[0] = batch.images();
  Tensor mask;
  {
    const NoGrad no_grad;
    const Tensor ones = Tensor::ones(whole, {x.dtype(), x.device()});
    mask = empty_like(ones);
    Target(ones).run(Dropout{.call = call, .p = p, .x = ones.view(), .y = mask.mutable_view()});
    mask = ops::slice(mask, 0, slice.begin, slice.end);
  }
  return mul(x, mask);
}

}  // namespace

Tensor dropout(const Tensor& x, float p, bool training) {
  check_activations("dropout", {{"input", x}});
  if (!(p >= 0 && p <= 1)) {
    throw_value_error("dropout", fmt::format("probability is {}, expected 0 to 1", p),
                      {{"input", x}});
  }
  if (!training || p == 0) return x;
  if (p == 1) return affine(x, 0, 0);

  const RandomCall call = Generator::global().next(RandomStream::Dropout, x.device());
  const SlicedBatch* batch = SlicedBatch::current();
  if (batch != nullptr) return dropout_of_slice(x, p, call, *batch);
  Tensor y = empty_like(x);
  const Target target(x);
  target.run(Dropout{.call = call, .p = p, .x = x.view(), .y = y.mutable_view()});
  if (any_requires_grad({x})) {
    auto node = std::make_shared<DropoutNode>(call, copy_of(call.epoch_step, x.device()), p);
    set_inputs(*node, {x});
    record(y, std::move(node));
  }
  return y;
}

}  // namespace hanok::ops
