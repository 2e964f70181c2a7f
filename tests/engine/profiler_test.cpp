// The profiler: what it notes of a kernel, and that it changes nothing.
#include "hanok/engine/profiler.h"

#include <cstring>

#include "hanok/engine/allocator.h"
#include "hanok/engine/layer_scope.h"
#include "tests/engine/kernel_counter.h"
#include "tests/engine/op_check.h"

namespace hanok::testing {
namespace {

using Pass = KernelCall::Pass;

Tensor numbers(const Shape& shape, float scale) {
  std::vector<float> values(static_cast<std::size_t>(shape.numel()));
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = scale * static_cast<float>(static_cast<int>(i * 7 % 11) - 5);
  }
  return Tensor::from_vector(values, shape);
}

/// A convolution of "layer" &first, then a sum outside all layers, and back.
Tensor weight_gradient(const int* layer) {
  const Tensor x = numbers({2, 3, 8, 8}, 0.1F);
  Tensor w = numbers({4, 3, 3, 3}, 0.2F).set_requires_grad(true);
  Tensor y;
  {
    const LayerScope scope(layer);
    y = ops::conv2d(x, w, {}, {1, 1, 1, 1, 1, 1});
  }
  ops::sum(y).backward();
  return w.grad();
}

const KernelCall& find(const std::vector<KernelCall>& calls, const std::string& kernel) {
  for (const KernelCall& call : calls) {
    if (call.kernel == kernel) return call;
  }
  throw std::runtime_error("no call of " + kernel);
}

TEST(Profiler, NotesCostLayerAndPassOfEachKernel) {
  const int layer = 0;
  const Profiler profiler;
  weight_gradient(&layer);
  const double end = profiler.now();

  const KernelCall& forward = find(profiler.calls(), "conv2d_forward");
  // 2 images x 8x8 pixels x 4 channels, each a sum over 3 channels x 3x3 taps.
  EXPECT_DOUBLE_EQ(forward.flop, 2.0 * (2 * 8 * 8 * 4) * (3 * 3 * 3));
  EXPECT_DOUBLE_EQ(forward.bytes, 4.0 * (2 * 3 * 8 * 8 + 4 * 3 * 3 * 3 + 2 * 4 * 8 * 8));
  EXPECT_EQ(forward.layer, &layer);
  EXPECT_EQ(forward.pass, Pass::Forward);
  EXPECT_FALSE(forward.variant.empty());
  EXPECT_NE(forward.shape.find("[2,3,8,8]"), std::string::npos);

  const KernelCall& backward = find(profiler.calls(), "conv2d_backward_weights");
  EXPECT_DOUBLE_EQ(backward.flop, forward.flop);
  EXPECT_EQ(backward.layer, &layer);
  EXPECT_EQ(backward.pass, Pass::Backward);
  EXPECT_EQ(find(profiler.calls(), "reduce").layer, nullptr);

  double before = 0;
  for (const KernelCall& call : profiler.calls()) {
    EXPECT_GE(call.start, before) << call.kernel;
    EXPECT_GE(call.seconds, 0) << call.kernel;
    before = call.start + call.seconds;
  }
  EXPECT_LE(before, end);
  EXPECT_GT(backward.memory.at("gradients"), 0U);
}

TEST(Profiler, ChangesNoResultAndLeavesNothingBehind) {
  const KernelCounter counter;
  const std::vector<float> plain = weight_gradient(nullptr).to_vector();
  const auto plain_counts = counter.counts();
  std::vector<float> profiled;
  {
    Profiler profiler;
    profiler.set_recording(false);
    weight_gradient(nullptr);
    EXPECT_TRUE(profiler.calls().empty());
    profiler.set_recording(true);
    profiled = weight_gradient(nullptr).to_vector();
    EXPECT_FALSE(profiler.calls().empty());
  }
  EXPECT_EQ(plain, profiled);
  weight_gradient(nullptr);
  for (const auto& [kernel, count] : plain_counts) EXPECT_EQ(counter[kernel], 4 * count) << kernel;
}

TEST(Profiler, ScopesNestAndEnd) {
  const int outer = 0;
  const int inner = 0;
  EXPECT_EQ(LayerScope::current().layer, nullptr);
  {
    const LayerScope a(&outer);
    {
      const LayerScope b(&inner, true);
      EXPECT_EQ(LayerScope::current().layer, &inner);
      EXPECT_TRUE(LayerScope::current().backward);
    }
    EXPECT_EQ(LayerScope::current().layer, &outer);
    EXPECT_FALSE(LayerScope::current().backward);
  }
  EXPECT_EQ(LayerScope::current().layer, nullptr);
}

TEST(Allocator, RemembersWhatThePeakWasMadeOf) {
  Allocator& allocator = allocator_of(Device::cpu());
  constexpr std::size_t kMebibyte = std::size_t{1} << 20;
  {
    const MemoryTag tag("first");
    const Tensor a = Tensor::empty({kMebibyte / 4});
    allocator.reset_peak();
    const std::size_t start = allocator.statistics().peak;
    {
      const MemoryTag other("second");
      const Tensor b = Tensor::empty({kMebibyte / 2});
    }
    const Tensor small = Tensor::empty({16});
    const MemoryStatistics statistics = allocator.statistics();
    EXPECT_EQ(statistics.peak, start + 2 * kMebibyte);
    EXPECT_EQ(statistics.peak_by_tag.at("first"), kMebibyte);
    EXPECT_EQ(statistics.peak_by_tag.at("second"), 2 * kMebibyte);
    std::size_t sum = 0;
    for (const auto& [name, bytes] : statistics.peak_by_tag) sum += bytes;
    EXPECT_EQ(sum, statistics.peak);
  }
}

}  // namespace
}  // namespace hanok::testing
