// What is given back where memory ran out, and that nothing but time depends on it.
#include "hanok/engine/reclaim.h"

#include "hanok/engine/allocator.h"
#include "hanok/engine/autograd.h"
#include "hanok/engine/generator.h"
#include "hanok/engine/ops.h"
#include "hanok/engine/packed_weights.h"
#include "tests/engine/op_check.h"

namespace hanok::testing {
namespace {

Allocator& allocator() { return allocator_of(Device::cpu()); }

std::size_t packed_bytes() {
  const MemoryStatistics memory = allocator().statistics();
  const auto found = memory.in_use_by_tag.find("packed weights");
  return found == memory.in_use_by_tag.end() ? 0 : found->second;
}

class Reclaim : public ::testing::Test {
 protected:
  Reclaim() {
    Generator generator(1);
    x_ = random_normal({2, 64, 14, 14}, 0, 1, generator);
    weight_ = random_normal({64, 64, 3, 3}, 0, 1, generator);
  }
  ~Reclaim() override { keep_packed_weights(true); }
  Tensor convolve() const {
    const NoGrad no_grad;
    return ops::conv2d(x_, weight_, Tensor(), Window2d{.pad_h = 1, .pad_w = 1});
  }

  Tensor x_, weight_;
};

TEST_F(Reclaim, DropsPackedWeightsAndKeepsNoneFromThenOn) {
  const std::size_t before = packed_bytes();
  const Tensor expected = convolve();
  ASSERT_GT(packed_bytes(), before);
  EXPECT_TRUE(reclaim_memory());
  EXPECT_EQ(packed_bytes(), 0U);
  expect_same_bits(convolve(), expected, "without packed weights");
  EXPECT_EQ(packed_bytes(), 0U);
  EXPECT_FALSE(reclaim_memory()) << "nothing is left";
  keep_packed_weights(true);
  expect_same_bits(convolve(), expected, "packed anew");
  EXPECT_GT(packed_bytes(), 0U);
}

TEST_F(Reclaim, AConvolutionDoesWithoutPackedWeightsWhereTheyDoNotFit) {
  const Tensor expected = convolve();
  drop_packed_weights(weight_);
  allocator().release_cached();
  const std::size_t packed = packed_bytes();
  std::int64_t refused = 0;
  // The output's memory, or that of the packed weights.
  for (std::int64_t request = 1; request <= 2; ++request) {
    allocator().refuse_request(request);
    try {
      expect_same_bits(convolve(), expected, "request " + std::to_string(request));
      EXPECT_EQ(packed_bytes(), packed);
    } catch (const OutOfMemory&) {
      ++refused;
    }
  }
  allocator().refuse_request(0);
  EXPECT_EQ(refused, 1);
}

TEST_F(Reclaim, AsksEveryCacheThatLives) {
  reclaim_memory();
  int asked = 0;
  {
    const Reclaimable full([&asked] { return ++asked > 0; });
    const Reclaimable empty([] { return false; });
    EXPECT_TRUE(reclaim_memory());
  }
  EXPECT_FALSE(reclaim_memory());
  EXPECT_EQ(asked, 1);
}

TEST_F(Reclaim, ReturnsFreeBlocksToTheSystem) {
  { const Tensor x = Tensor::empty({1000}); }
  EXPECT_GT(allocator().statistics().cached, 0U);
  reclaim_memory();
  EXPECT_EQ(allocator().statistics().cached, 0U);
}

}  // namespace
}  // namespace hanok::testing
