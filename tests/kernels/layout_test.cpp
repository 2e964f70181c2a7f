#include <bit>
#include <cmath>
#include <cstdint>
#include <gtest/gtest.h>
#include <limits>
#include <vector>

#include "hanok/kernels/base/error.h"
#include "hanok/kernels/base/half.h"
#include "tests/kernels/backend_runs.h"

namespace hanok {
namespace {

class Layout : public ::testing::Test {
 protected:
  test::KernelContext context_{3};
  std::shared_ptr<Backend> backend_ = test::testable_backends().back();
};

/// An f16 read by its definition.
double f16_value(std::uint16_t bits) {
  const double sign = (bits & 0x8000) != 0 ? -1 : 1;
  const int exponent = (bits >> 10) & 31;
  const int mantissa = bits & 1023;
  if (exponent == 31) {
    return mantissa == 0 ? sign * HUGE_VAL : std::nan("");
  }
  return exponent == 0 ? sign * std::ldexp(mantissa, -24)
                       : sign * std::ldexp(1024 + mantissa, exponent - 25);
}

TEST(Half, EveryF16IsReadAndWrittenBack) {
  const FlushDenormals flush;  // must not matter
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    const F16 x{static_cast<std::uint16_t>(bits)};
    const double want = f16_value(x.bits);
    const float got = to_float(x);
    if (std::isnan(want)) {
      EXPECT_TRUE(std::isnan(got));
      EXPECT_TRUE(std::isnan(f16_value(to_f16(got).bits)));
      continue;
    }
    ASSERT_EQ(got, want) << bits;
    ASSERT_EQ(to_f16(got).bits, bits);
  }
}

TEST(Half, F16RoundsToTheNearestTiesToEven) {
  for (std::uint32_t bits = 0; bits < 0x7bffU; ++bits) {  // between each finite neighbours
    const double low = f16_value(static_cast<std::uint16_t>(bits));
    const double high = f16_value(static_cast<std::uint16_t>(bits + 1));
    const auto middle = static_cast<float>((low + high) / 2);  // exact in f32
    const std::uint32_t even = bits + (bits & 1);
    ASSERT_EQ(to_f16(middle).bits, even) << bits;
    ASSERT_EQ(to_f16(std::nextafter(middle, 0.0F)).bits, bits) << bits;
    ASSERT_EQ(to_f16(std::nextafter(middle, 1e9F)).bits, bits + 1) << bits;
    ASSERT_EQ(to_f16(-middle).bits, even | 0x8000U) << bits;
  }
  EXPECT_EQ(to_f16(65519.996F).bits, 0x7bff);
  EXPECT_EQ(to_f16(65520.0F).bits, 0x7c00);
  EXPECT_EQ(to_f16(1e30F).bits, 0x7c00);
}

TEST(Half, Bf16RoundsToTheNearestTiesToEven) {
  for (std::uint32_t bits = 0; bits < 0x7f7fU; ++bits) {
    const auto low = std::bit_cast<float>(bits << 16);
    const auto middle = std::bit_cast<float>((bits << 16) | 0x8000U);
    ASSERT_EQ(to_float(to_bf16(low)), low);
    ASSERT_EQ(to_bf16(middle).bits, bits + (bits & 1)) << bits;
    ASSERT_EQ(to_bf16(std::bit_cast<float>((bits << 16) | 0x7fffU)).bits, bits);
    ASSERT_EQ(to_bf16(std::bit_cast<float>((bits << 16) | 0x8001U)).bits, bits + 1);
  }
  EXPECT_TRUE(std::isnan(to_float(to_bf16(std::numeric_limits<float>::signaling_NaN()))));
  EXPECT_EQ(to_float(to_bf16(std::numeric_limits<float>::max())), HUGE_VALF);
}

TEST_F(Layout, CastFromF64RoundsOnce) {
  // Just above a tie of f16: rounding to f32 first would land on the tie and then go to even.
  const double above_tie = 1 + std::ldexp(1, -11) + std::ldexp(1, -40);
  const std::vector<double> x{above_tie, -above_tie, 1 + std::ldexp(1, -11), 0.1, 1e300};
  std::vector<std::uint16_t> y(x.size());
  backend_->run(context_, Cast{{y.data(), DType::F16, Shape{5}}, {x.data(), DType::F64, Shape{5}}});
  EXPECT_EQ(f16_value(y[0]), 1 + std::ldexp(1, -10));
  EXPECT_EQ(f16_value(y[1]), -1 - std::ldexp(1, -10));
  EXPECT_EQ(f16_value(y[2]), 1);
  EXPECT_NEAR(f16_value(y[3]), 0.1, 0.1 / 2048);
  EXPECT_EQ(f16_value(y[4]), HUGE_VAL);
}

TEST_F(Layout, CastKeepsWhatBothTypesHold) {
  const DType types[] = {DType::F32, DType::F64, DType::F16, DType::BF16, DType::U8, DType::I64};
  std::vector<std::int64_t> numbers(255);
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    numbers[i] = static_cast<std::int64_t>(i);
  }
  const Shape shape{255};
  for (const DType from : types) {
    for (const DType to : types) {
      std::vector<char> a(255 * 8), b(255 * 8);
      std::vector<std::int64_t> back(255);
      backend_->run(context_, Cast{{a.data(), from, shape}, {numbers.data(), DType::I64, shape}});
      backend_->run(context_, Cast{{b.data(), to, shape}, {a.data(), from, shape}});
      backend_->run(context_, Cast{{back.data(), DType::I64, shape}, {b.data(), to, shape}});
      EXPECT_EQ(back, numbers) << name_of(from) << " to " << name_of(to);
    }
  }
}

TEST_F(Layout, CastToIntegersTruncatesAndKeepsWithinTheRange) {
  const std::vector<float> x{0.5F, 1.5F, 2.75F, -0.4F, -7.6F, 300, 1e30F, -1e30F, std::nanf("")};
  std::vector<std::uint8_t> u8(x.size());
  std::vector<std::int64_t> i64(x.size());
  backend_->run(context_, Cast{{u8.data(), DType::U8, Shape{9}}, test::view_of(x, {9})});
  backend_->run(context_, Cast{{i64.data(), DType::I64, Shape{9}}, test::view_of(x, {9})});
  EXPECT_EQ(u8, (std::vector<std::uint8_t>{0, 1, 2, 0, 0, 255, 255, 0, 0}));
  EXPECT_EQ(i64, (std::vector<std::int64_t>{0, 1, 2, 0, -7, 300, INT64_MAX, INT64_MIN, 0}));
}

TEST_F(Layout, FillsEveryType) {
  const Shape shape{40001};
  std::vector<char> bytes(40001 * 8);
  std::vector<double> back(40001);
  for (const DType type :
       {DType::F32, DType::F64, DType::F16, DType::BF16, DType::U8, DType::I64}) {
    backend_->run(context_, Fill{{bytes.data(), type, shape}, 3});
    backend_->run(context_, Cast{{back.data(), DType::F64, shape}, {bytes.data(), type, shape}});
    EXPECT_EQ(back, std::vector<double>(40001, 3.0)) << name_of(type);
  }
}

struct CopyCase {
  Shape sizes;
  Strides dst, src;  // in elements
};

template <typename T>
void check_copy(Backend& backend, ExecContext& context, DType type, const CopyCase& c) {
  const auto extent = [&](const Strides& strides) {
    std::int64_t last = 0;
    for (int dim = 0; dim < c.sizes.rank(); ++dim) {
      last += (c.sizes[dim] - 1) * strides[dim];
    }
    return static_cast<std::size_t>(last + 1);
  };
  std::vector<T> src(extent(c.src));
  for (std::size_t i = 0; i < src.size(); ++i) {
    src[i] = static_cast<T>(i * 7 + 1);
  }
  std::vector<T> dst(extent(c.dst), T{0});
  std::vector<T> want = dst;
  for (std::int64_t i = 0; i < c.sizes.numel(); ++i) {
    std::int64_t to = 0;
    std::int64_t from = 0;
    std::int64_t rest = i;
    for (int dim = c.sizes.rank() - 1; dim >= 0; --dim) {
      to += rest % c.sizes[dim] * c.dst[dim];
      from += rest % c.sizes[dim] * c.src[dim];
      rest /= c.sizes[dim];
    }
    want[static_cast<std::size_t>(to)] = src[static_cast<std::size_t>(from)];
  }
  backend.run(context,
              StridedCopy{{dst.data(), type, c.sizes, c.dst}, {src.data(), type, c.sizes, c.src}});
  EXPECT_EQ(dst, want) << name_of(type) << " " << c.sizes.to_string();
}

TEST_F(Layout, StridedCopyMatchesALoopOverIndices) {
  const CopyCase cases[] = {
      {{7}, {1}, {1}},                                      // dense
      {{7}, {2}, {3}},                                      // both with gaps
      {{300, 211}, {211, 1}, {1, 300}},                     // transpose
      {{2, 19, 5, 6}, {570, 1, 114, 19}, {570, 30, 6, 1}},  // NCHW to NHWC
      {{2, 19, 5, 6}, {570, 30, 6, 1}, {570, 1, 114, 19}},  // and back
      {{4, 3, 9}, {81, 9, 1}, {27, 9, 1}},                  // into a wider tensor
      {{4, 6}, {6, 1}, {0, 1}},                             // expand rows
      {{4, 6}, {6, 1}, {1, 0}},                             // expand columns
      {{130, 3, 67}, {201, 67, 1}, {1, 130, 390}},          // reverse all dimensions
      {{3, 1, 50000}, {50000, 7, 1}, {50000, 3, 1}},        // longer than a task
  };
  for (const CopyCase& c : cases) {
    check_copy<std::uint8_t>(*backend_, context_, DType::U8, c);
    check_copy<std::uint16_t>(*backend_, context_, DType::F16, c);
    check_copy<float>(*backend_, context_, DType::F32, c);
    check_copy<std::int64_t>(*backend_, context_, DType::I64, c);
  }
}

TEST_F(Layout, NormalizeFollowsItsFormula) {
  const Shape shape{3, 3, 41, 79};
  std::vector<std::uint8_t> x(static_cast<std::size_t>(shape.numel()));
  for (std::size_t i = 0; i < x.size(); ++i) {
    x[i] = static_cast<std::uint8_t>(i * 37 + i / 251);
  }
  const std::vector<float> mean{0.485F, 0.456F, 0.406F};
  const std::vector<float> stddev{0.229F, 0.224F, 0.225F};
  std::vector<double> want;
  for (std::size_t i = 0; i < x.size(); ++i) {
    want.push_back((x[i] / 255.0 - mean[i % 3]) / stddev[i % 3]);
  }
  std::vector<float> y(x.size());
  backend_->run(context_, NormalizeU8{{x.data(), DType::U8, shape},
                                      test::view_of(mean, {3}),
                                      test::view_of(stddev, {3}),
                                      test::view_of(y, shape)});
  test::expect_near(y, want, 1e-6);
}

}  // namespace
}  // namespace hanok
