#include "hanok/engine/counter.h"

#include <gtest/gtest.h>

#include "hanok/kernels/base/error.h"
#include "tests/support/device.h"

namespace hanok::testing {
namespace {

TEST(Counter, CountsWhereFloatsAndDoublesWouldStop) {
  const std::int64_t large = (std::int64_t{1} << 53) + 1;
  Tensor counter = Tensor::from_vector(std::vector<std::int64_t>{large}, {}).to(test_device());
  const std::uint64_t version = counter.version();
  count_up(counter);
  count_up(counter);
  EXPECT_EQ(counter.to_int_vector(), std::vector<std::int64_t>{large + 2});
  EXPECT_GT(counter.version(), version);
}

TEST(Counter, IsOneWholeNumber) {
  Tensor number = Tensor::ones({1}, {DType::F32, test_device()});
  Tensor numbers = Tensor::ones({2}, {DType::I64, test_device()});
  EXPECT_THROW(count_up(number), DTypeError);
  EXPECT_THROW(count_up(numbers), ShapeError);
}

}  // namespace
}  // namespace hanok::testing
