// The graph: order of summation, saved tensors, hooks, long chains, errors.
#include "hanok/engine/autograd.h"

#include <atomic>
#include <thread>

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

/// Its backward returns this many gradients, of the shape that it is given.
class ReturningNode final : public Node {
 public:
  ReturningNode(std::size_t count, const Shape& shape) : count_(count), shape_(shape) {}
  const char* name() const override { return "mine"; }
  std::vector<Tensor> backward(const Tensor&) override {
    return std::vector<Tensor>(count_, new_ones(shape_));
  }
  void release_saved() override {}

 private:
  std::size_t count_;
  Shape shape_;
};

TEST(Autograd, TheNumberAndTheShapesOfANodesGradientsAreChecked) {
  const auto message = [](std::size_t count, const Shape& shape) {
    Tensor a = leaf({1}), b = leaf({2});
    Tensor y = new_ones({1});
    auto node = std::make_shared<ReturningNode>(count, shape);
    set_inputs(*node, {a, b});
    record(y, std::move(node));
    return message_of<AutogradError>([&] { y.backward(); });
  };
  const std::string wrong = "mine: backward returned an incorrect number of gradients ";
  EXPECT_EQ(message(0, {1}), wrong + "(expected 2, got 0)");
  EXPECT_EQ(message(1, {1}), wrong + "(expected 2, got 1)");
  EXPECT_EQ(message(3, {1}), wrong + "(expected 2, got 3)");
  EXPECT_EQ(message(2, {2}),
            "mine: backward made a gradient of shape [2] for an input of shape [1]");
}

TEST(Autograd, ALeafWhoseRequiresGradWasSwitchedOffGetsNoGradient) {
  Tensor off = leaf({3}), on = leaf({5});
  int calls = 0;
  off.register_grad_hook([&](const Tensor&) { ++calls; });
  const Tensor y = ops::mul(off, on);
  off.set_requires_grad(false);
  y.backward();
  EXPECT_FALSE(off.grad().defined());
  EXPECT_EQ(calls, 0);
  EXPECT_EQ(on.grad().item(), 3);
}

TEST(Autograd, GraphsMayShareOpsThatSaveNothing) {
  Tensor x = new_ones({2, 3, 4, 4}).set_requires_grad(true);
  // One of each kind.
  const Tensor trunk = ops::avg_pool2d(
      ops::slice(ops::permute(ops::neg(ops::affine(x, 2, 1)), {0, 1, 3, 2}), 1, 0, 2), 2, 2,
      {.stride_h = 2});
  const Tensor joined = ops::concat({ops::sum(trunk, {2}), ops::mean(trunk, {3})}, 1);
  const Tensor flat = ops::flatten(ops::sub(joined.clone(), joined + 1.0F), 1);
  const Tensor a = ops::sum(trunk), b = ops::sum(ops::mul(trunk, trunk)), c = ops::sum(flat);
  a.backward();
  const auto once = x.grad().to_vector();
  b.backward();
  c.backward();
  x.zero_grad();
  EXPECT_EQ(message_of<AutogradError>([&] { b.backward(); }),
            "mul: backward runs a second time through a graph whose saved tensors are freed");
  a.backward();
  EXPECT_EQ(x.grad().to_vector(), once);
}

TEST(Autograd, ASharedOpThatSavedSomethingRunsOnce) {
  Tensor x = leaf({2});
  const Tensor trunk = ops::square(x);
  const Tensor a = ops::sum(trunk), b = ops::affine(trunk, 3, 0);
  a.backward();
  EXPECT_EQ(message_of<AutogradError>([&] { b.backward(); }),
            "square: backward runs a second time through a graph whose saved tensors are freed");
  EXPECT_EQ(x.grad().item(), 4);
}

TEST(Autograd, ThreadsAddToSharedLeaves) {
  constexpr int kThreads = 4;
  const int rounds = test_device().is_cpu() ? 200 : 5;  // the emulator is slow
  Tensor weight = new_ones({257}).set_requires_grad(true);
  Tensor bias = new_ones({257}).set_requires_grad(true);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < rounds; ++i) {
        const Tensor x = new_full({257}, t + 1);
        ops::sum(ops::add(ops::mul(x, weight), bias)).backward();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const auto all = static_cast<float>(rounds);
  EXPECT_EQ(weight.grad().to_vector(), std::vector<float>(257, (1 + 2 + 3 + 4) * all));
  EXPECT_EQ(bias.grad().to_vector(), std::vector<float>(257, kThreads * all));
}

TEST(Autograd, OneOfTwoThreadsIsRefusedASharedGraph) {
  for (int round = 0; round < 20; ++round) {
    Tensor x = leaf({2});
    const Tensor trunk = ops::square(x);
    const Tensor roots[] = {ops::affine(trunk, 1, 0), ops::affine(trunk, 1, 0)};
    std::atomic<int> refused{0};
    std::vector<std::thread> threads;
    for (const Tensor& root : roots) {
      threads.emplace_back([&] {
        try {
          root.backward();
        } catch (const AutogradError&) {
          ++refused;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(refused, 1);
    EXPECT_EQ(x.grad().item(), 4);
  }
}

TEST(Autograd, CopiesStayInTheGraph) {
  Tensor x = leaf({3});
  const Tensor y = ops::square(x);
  ops::add(y.clone(), x).backward();
  EXPECT_EQ(x.grad().item(), 7);
  x.zero_grad();
  x.clone().to(DType::F64).to(DType::F32).to(DType::F16).to(DType::F32).backward(new_full({1}, 2));
  EXPECT_EQ(x.grad().item(), 2);
  EXPECT_EQ(x.grad().dtype(), DType::F32);
  const Device elsewhere = Device::cpu();
  x.zero_grad();
  const Tensor there = ops::square(x).to(elsewhere);
  EXPECT_TRUE(there.requires_grad());
  there.backward(Tensor::ones({1}));
  EXPECT_EQ(x.grad().item(), 6);
  EXPECT_EQ(x.grad().device(), x.device());
  // What has no gradient, or shall have none, is outside.
  EXPECT_FALSE(x.to(DType::I64).requires_grad());
  EXPECT_FALSE(x.detach().clone().requires_grad());
  const NoGrad no_grad;
  EXPECT_FALSE(x.clone().requires_grad());
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
