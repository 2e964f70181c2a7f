#include "hanok/engine/recompute.h"

#include <memory>
#include <utility>
#include <vector>

#include "hanok/engine/allocator.h"
#include "hanok/engine/autograd.h"
#include "hanok/engine/generator.h"
#include "hanok/engine/layer_scope.h"
#include "hanok/engine/transaction.h"

namespace hanok {
namespace {

using Block = std::function<Tensor(const Tensor&)>;

class RecomputeNode final : public Node {
 public:
  RecomputeNode(const Tensor& x, Block block, const Generator::Draws& draws)
      : x_(x), block_(std::move(block)), draws_(draws) {}
  const char* name() const override { return "recompute"; }

  std::vector<Tensor> backward(const Tensor& grad_output) override {
    GraphInput input(x_.take(name()));
    run_again(needs(0) ? input.tensor() : input.tensor().detach()).backward(grad_output);
    return {input.take_gradient()};
  }

  void release_saved() override {
    x_.release();
    block_ = nullptr;
  }

 private:
  Tensor run_again(const Tensor& x) const {
    const EnableGrad enable_grad;
    const StepTransaction::Discard written_before;
    const Generator::Replay drawn_before(Generator::global(), draws_);
    const LayerScope forward(layer);
    const MemoryTag tag("activations");
    return block_(x);
  }

  SavedTensor x_;
  Block block_;
  Generator::Draws draws_;
};

}  // namespace

Tensor recompute(const Tensor& x, const Block& block) {
  if (!grad_enabled()) return block(x);
  const Generator::Draws draws = Generator::global().draws();
  Tensor y = block(x);
  if (!y.requires_grad()) return y;
  y = y.detach();  // drops its graph, and what that saved
  auto node = std::make_shared<RecomputeNode>(x, block, draws);
  set_inputs(*node, {x});
  record(y, std::move(node));
  return y;
}

}  // namespace hanok
