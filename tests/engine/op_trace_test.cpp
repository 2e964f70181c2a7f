// The op trace: the same work gives the same hashes, and a changed bit shows at the op that made
// it.
#include "hanok/engine/op_trace.h"

#include <cstring>

#include "hanok/engine/layer_scope.h"
#include "tests/engine/op_check.h"

namespace hanok::testing {
namespace {

std::vector<TracedOp> ops_of(const Tensor& x, const Tensor& w, const int* layer) {
  const OpTrace trace;
  Tensor weight = w.clone().set_requires_grad(true);
  Tensor y;
  {
    const LayerScope scope(layer);
    y = ops::matmul(x, weight);
  }
  ops::sum(ops::relu(y)).backward();
  return trace.ops();
}

Tensor numbers(const Shape& shape) {
  std::vector<float> values(static_cast<std::size_t>(shape.numel()));
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = 0.25F * static_cast<float>(i % 7) - 0.5F;
  return Tensor::from_vector(values, shape);
}

TEST(OpTrace, TheSameWorkGivesTheSameHashes) {
  const int layer = 0;
  const Tensor x = numbers({3, 4});
  const Tensor w = numbers({4, 2});
  const std::vector<TracedOp> first = ops_of(x, w, &layer);
  const std::vector<TracedOp> second = ops_of(x, w, &layer);
  ASSERT_GT(first.size(), 3U);
  ASSERT_EQ(first.size(), second.size());
  bool forward = false;
  bool backward = false;
  for (std::size_t i = 0; i < first.size(); ++i) {
    EXPECT_STREQ(first[i].kernel, second[i].kernel);
    EXPECT_EQ(first[i].read, second[i].read) << first[i].kernel;
    EXPECT_EQ(first[i].written, second[i].written) << first[i].kernel;
    if (first[i].layer != &layer) continue;
    forward |= first[i].pass == KernelCall::Pass::Forward;
    backward |= first[i].pass == KernelCall::Pass::Backward;
  }
  EXPECT_TRUE(forward);
  EXPECT_TRUE(backward);
}

TEST(OpTrace, AnotherBitOfAnInputShowsAtItsReader) {
  const Tensor x = numbers({3, 4});
  const Tensor w = numbers({4, 2});
  const std::vector<TracedOp> first = ops_of(x, w, nullptr);
  Tensor other = w.clone();
  auto* bits = static_cast<unsigned char*>(other.mutable_view().data);
  bits[4] ^= 1U;
  const std::vector<TracedOp> second = ops_of(x, other, nullptr);
  ASSERT_EQ(first.size(), second.size());
  std::size_t i = 0;
  while (i < first.size() && first[i].read == second[i].read) ++i;
  ASSERT_LT(i, first.size());
  EXPECT_EQ(std::strcmp(first[i].kernel, second[i].kernel), 0);
}

}  // namespace
}  // namespace hanok::testing
