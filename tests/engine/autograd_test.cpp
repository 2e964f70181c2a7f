// The graph: order of summation, saved tensors, hooks, long chains, errors.
#include "hanok/engine/autograd.h"

#include "hanok/engine/allocator.h"
#include "tests/engine/op_check.h"

namespace hanok::testing {
namespace {

const std::string kPlace = test_device().to_string();

Tensor leaf(const std::vector<float>& values) {
  Tensor x = new_from_vector(values, {static_cast<std::int64_t>(values.size())});
  return x.set_requires_grad(true);
}

TEST(Autograd, AChainOfAMillionOpsIsBuiltRunBackAndDestroyed) {
  const int ops_count = test_device().is_cpu() ? 1000000 : 10000;  // the emulator is slow
  Tensor x = leaf({1});
  {
    Tensor y = x;
    for (int i = 0; i < ops_count; ++i) y = ops::affine(y, 1, 0.5F);
    y.backward();
    EXPECT_EQ(x.grad().item(), 1);
  }  // the graph's end, after its nodes ran
  Tensor z = x;
  for (int i = 0; i < ops_count; ++i) z = ops::neg(z);
  z = Tensor();  // and without
}

TEST(Autograd, GradientsThatMeetAreSummedInOrderOfNodeNumber) {
  // f32 sums depend on their order: (-1e8 + 1e8) + 1 = 1, but (1 + 1e8) - 1e8 = 0. The consumer
  // recorded last comes first.
  const auto gradient_of = [](bool through_node, bool other_tree) {
    Tensor x = leaf({1});
    const Tensor h = through_node ? ops::affine(x, 1, 0) : x;
    const Tensor a = ops::affine(h, 1, 0);
    const Tensor b = ops::affine(h, 1e8F, 0);
    const Tensor c = ops::affine(h, -1e8F, 0);
    // How the terms are combined afterwards changes the walk, but not the sum.
    const Tensor z = other_tree ? ops::add(c, ops::add(a, b)) : ops::add(ops::add(a, b), c);
    z.backward(new_ones({1}));
    return x.grad().item();
  };
  for (const bool through_node : {false, true}) {
    EXPECT_EQ(gradient_of(through_node, false), 1);
    EXPECT_EQ(gradient_of(through_node, true), 1);
  }
}

TEST(Autograd, ADiamondVisitsEachNodeOnce) {
  Tensor x = leaf({3});
  Tensor y = x;
  for (int i = 0; i < 40; ++i) y = ops::add(y, y);  // 2^40 paths
  y.backward();
  EXPECT_EQ(x.grad().item(), static_cast<double>(1ULL << 40));
}

TEST(Autograd, GradientsAccumulateUntilZeroed) {
  Tensor x = leaf({2, 3});
  ops::sum(ops::square(x)).backward();
  ops::sum(ops::square(x)).backward();
  EXPECT_EQ(x.grad().to_vector(), (std::vector<float>{8, 12}));
  x.zero_grad();
  EXPECT_FALSE(x.grad().defined());
  ops::sum(x).backward();
  EXPECT_EQ(x.grad().to_vector(), (std::vector<float>{1, 1}));
}

TEST(Autograd, GradientsNeverShareMemory) {
  Tensor a = leaf({1, 2});
  Tensor b = leaf({3, 4});
  const Tensor seed = new_ones({2});
  ops::add(a, b).backward(seed);
  EXPECT_NE(a.grad().storage(), b.grad().storage());
  EXPECT_NE(a.grad().storage(), seed.storage());
  EXPECT_NE(b.grad().storage(), seed.storage());
  ops::sum(a).backward();  // accumulates into a's alone
  EXPECT_EQ(a.grad().to_vector(), (std::vector<float>{2, 2}));
  EXPECT_EQ(b.grad().to_vector(), (std::vector<float>{1, 1}));
  EXPECT_EQ(seed.to_vector(), (std::vector<float>{1, 1}));
}

TEST(Autograd, ReadingAnOverwrittenSavedTensorIsAnError) {
  Tensor a = leaf({1, 2});
  Tensor b = leaf({3, 4});
  const Tensor y = ops::mul(a, b);
  overwrite(b, 0, 7);
  EXPECT_EQ(message_of<AutogradError>([&] { y.backward(new_ones({2})); }),
            "mul: a tensor saved for backward, Tensor f32 [2] " + kPlace +
                ", was overwritten after the forward pass");
}

TEST(Autograd, AWriteThroughAViewIsNoticed) {
  const Tensor base = new_ones({4});
  Tensor view = ops::slice(base, 0, 2, 4);
  Tensor x = leaf({1, 2, 3, 4});
  const Tensor y = ops::mul(x, base);
  overwrite(view, 0, 5);
  EXPECT_NE(message_of<AutogradError>([&] { y.backward(new_ones({4})); }).find("overwritten"),
            std::string::npos);
}

TEST(Autograd, NewContentsOfASavedParameterAreNoticed) {
  Tensor w = leaf({1, 2});
  Tensor x = leaf({3, 4});
  const Tensor y = ops::mul(x, w);
  w.swap_contents(new_ones({2}));
  EXPECT_NE(message_of<AutogradError>([&] { y.backward(new_ones({2})); }).find("overwritten"),
            std::string::npos);
}

TEST(Autograd, WritingWhatWasNotSavedIsFine) {
  Tensor a = leaf({1, 2});
  const Tensor y = ops::affine(a, 3, 0);
  overwrite(a, 0, 7);
  y.backward(new_ones({2}));
  EXPECT_EQ(a.grad().to_vector(), (std::vector<float>{3, 3}));
}

TEST(Autograd, BackwardTwiceIsAnError) {
  Tensor x = leaf({2});
  const Tensor y = ops::square(x);
  y.backward();
  EXPECT_EQ(message_of<AutogradError>([&] { y.backward(); }),
            "square: backward runs a second time through a graph whose saved tensors are freed");
  EXPECT_EQ(x.grad().item(), 4);
}

/// Takes what it saved, then fails: as an op that runs out of memory half-way.
class FailingNode final : public Node {
 public:
  explicit FailingNode(const Tensor& x) : x_(x) {}
  const char* name() const override { return "failing"; }
  std::vector<Tensor> backward(const Tensor&) override {
    EXPECT_TRUE(x_.defined()) << "asked again";
    x_.take(name());
    throw OutOfMemory(1, 0, 0);
  }
  void release_saved() override { x_.release(); }

 private:
  SavedTensor x_;
};

TEST(Autograd, BackwardAgainAfterAnErrorIsAnError) {
  Tensor x = leaf({2});
  Tensor y = x.clone();
  auto node = std::make_shared<FailingNode>(x);
  set_inputs(*node, {x});
  record(y, std::move(node));
  EXPECT_THROW(y.backward(), OutOfMemory);
  EXPECT_TRUE(grad_enabled());
  EXPECT_EQ(message_of<AutogradError>([&] { y.backward(); }),
            "failing: backward runs a second time through a graph whose saved tensors are freed");
}

TEST(Autograd, HooksFireOnceWhenTheGradientIsComplete) {
  Tensor shared = leaf({2});
  Tensor other = leaf({5});
  std::vector<double> seen;
  shared.register_grad_hook([&](const Tensor& grad) { seen.push_back(grad.item()); });
  Tensor y = ops::mul(shared, other);
  y = ops::add(y, ops::square(shared));
  y = ops::add(ops::mul(y, shared), shared);
  y.backward();
  // y = s^2 o + s^3 + s; dy/ds = 2 s o + 3 s^2 + 1
  EXPECT_EQ(seen, (std::vector<double>{33}));
  EXPECT_EQ(shared.grad().item(), 33);
  ops::square(shared).backward();
  EXPECT_EQ(seen, (std::vector<double>{33, 37})) << "with what had accumulated";
  ops::square(other).backward();
  EXPECT_EQ(seen.size(), 2U) << "no part in that graph";
}

TEST(Autograd, DetachAndNoGradCutTheGraph) {
  Tensor x = leaf({3});
  const Tensor y = ops::mul(ops::square(x).detach(), x);
  y.backward();
  EXPECT_EQ(x.grad().item(), 9);
  const NoGrad no_grad;
  EXPECT_FALSE(ops::square(x).requires_grad());
}

TEST(Autograd, BackwardRecordsNothing) {
  Tensor x = leaf({1, 2});
  ops::sum(ops::div(ops::square(x), ops::exp(x))).backward();
  EXPECT_FALSE(x.grad().requires_grad());
  EXPECT_TRUE(grad_enabled());
}

TEST(Autograd, SavedTensorsAreFreedAsTheWalkGoes) {
  constexpr std::int64_t kCount = 1 << 18;  // 1 MiB each
  constexpr int kDepth = 16;
  Allocator& allocator = allocator_of(test_device());
  Tensor x = new_ones({kCount}).set_requires_grad(true);
  const Tensor seed = new_ones({kCount});
  Tensor chain = x;
  const std::size_t before = allocator.statistics().in_use;
  for (int i = 0; i < kDepth; ++i) chain = ops::square(chain);
  const std::size_t built = allocator.statistics().in_use;
  EXPECT_GE(built - before, static_cast<std::size_t>(kDepth - 1) * kCount * 4);
  allocator.reset_peak();
  chain.backward(seed);
  chain = Tensor();
  const MemoryStatistics after = allocator.statistics();
  // The walk holds the incoming and the outgoing gradient, never a gradient for each op.
  EXPECT_LE(after.peak, built + 3 * kCount * 4);
  EXPECT_LE(after.in_use, before + kCount * 4) << "what stays is x's gradient";
}

TEST(Autograd, ErrorsSayWhatIsWrong) {
  const Tensor constant = new_ones({2});
  EXPECT_EQ(message_of<AutogradError>([&] { constant.backward(); }),
            "backward: Tensor f32 [2] " + kPlace +
                " does not depend on anything that requires a gradient");
  Tensor x = leaf({1, 2});
  EXPECT_EQ(message_of<AutogradError>([&] { ops::square(x).backward(); }),
            "backward: Tensor f32 [2] " + kPlace +
                " has more than one element: pass the gradient to start "
                "from");
  EXPECT_EQ(
      message_of<ShapeError>([&] { ops::square(x).backward(new_ones({3})); }),
      "backward: gradient Tensor f32 [3] " + kPlace + " does not fit Tensor f32 [2] " + kPlace);
  EXPECT_EQ(message_of<AutogradError>([&] { ops::square(x).set_requires_grad(false); }),
            "set_requires_grad: Tensor f32 [2] " + kPlace +
                " is the result of an op; only leaves can be set "
                "(use detach())");
  EXPECT_EQ(message_of<DTypeError>([] { new_zeros({2}, DType::I64).set_requires_grad(true); }),
            "set_requires_grad: only f32 tensors have gradients, got Tensor i64 [2] " + kPlace);
  EXPECT_EQ(
      message_of<DTypeError>([&] { ops::square(x).backward(new_ones({2}, DType::I64)); }),
      "backward: gradient Tensor i64 [2] " + kPlace + " does not fit Tensor f32 [2] " + kPlace);
  EXPECT_EQ(
      message_of<DTypeError>([&] { x.backward(new_ones({2}, DType::I64)); }),
      "backward: gradient Tensor i64 [2] " + kPlace + " does not fit Tensor f32 [2] " + kPlace);
  EXPECT_EQ(message_of<AutogradError>([] { Tensor().zero_grad(); }),
            "zero_grad: the tensor is undefined");
  EXPECT_EQ(message_of<AutogradError>([] { Tensor().set_grad({}); }),
            "set_grad: the tensor is undefined");
}

TEST(Autograd, TheGraphPrintsAsDot) {
  Tensor x = leaf({1, 2, 3});
  const std::string dot = graph_to_dot(ops::sum(ops::square(x)));
  EXPECT_NE(dot.find("digraph"), std::string::npos);
  EXPECT_NE(dot.find("square\\n[3]"), std::string::npos);
  EXPECT_NE(dot.find("leaf\\n[3]"), std::string::npos);
}

TEST(Autograd, TheGraphShowsEachNodeOnceWithItsShapeAndAllItsEdges) {
  const auto count = [](const std::string& text, const std::string& part) {
    int found = 0;
    for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
      ++found;
    }
    return found;
  };
  Tensor x = new_ones({2, 3, 4, 5}), weight = new_ones({6, 3, 1, 1});
  x.set_requires_grad(true);
  weight.set_requires_grad(true);
  const Tensor y = ops::conv2d(x, weight);  // [2,6,4,5], read twice
  const Tensor frozen = new_ones({6, 1, 1});
  const Tensor both = ops::add(ops::mul(y, frozen), ops::relu(y));
  const std::string dot = graph_to_dot(ops::sum(both, {}, true));
  for (const char* node :
       {"conv2d\\n[2,6,4,5]", "mul\\n[2,6,4,5]", "relu\\n[2,6,4,5]", "add\\n[2,6,4,5]",
        "sum\\n[1,1,1,1]", "leaf\\n[2,3,4,5]", "leaf\\n[6,3,1,1]"}) {
    EXPECT_EQ(count(dot, std::string("[label=\"") + node), 1) << node << " in\n" << dot;
  }
  EXPECT_EQ(count(dot, "[label="), 7) << dot;  // what needs no gradient is not drawn
  EXPECT_EQ(count(dot, " -> "), 7) << dot;
  EXPECT_EQ(count(graph_to_dot(new_ones({2})), "label"), 0);
}

}  // namespace
}  // namespace hanok::testing
