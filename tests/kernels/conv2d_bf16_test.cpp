// Convolutions that store y in bf16: what they would store in f32, rounded.
#include <algorithm>
#include <bit>
#include <cstdint>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "hanok/kernels/base/error.h"
#include "hanok/kernels/base/half.h"
#include "hanok/kernels/cpu/call.h"
#include "hanok/kernels/cpu/conv2d/choices.h"
#include "tests/kernels/conv2d_reference.h"

namespace hanok {
namespace {

using test::Operands;
using test::shape_of;

struct Case {
  Conv2dAlgorithm algorithm;
  Conv2dShape shape;
};

std::vector<Case> cases() {
  const Window2d padded{.pad_h = 1};
  const Window2d strided{.stride_h = 2, .pad_h = 1};
  std::vector<Case> cases = {
      {Conv2dAlgorithm::Winograd4x4, shape_of(2, 32, 13, 14, 40, 3, 3, 1, padded)},
      {Conv2dAlgorithm::Winograd4x4, shape_of(3, 232, 7, 7, 56, 3, 3, 1, padded)},
      {Conv2dAlgorithm::Winograd4x4Int16, shape_of(2, 40, 13, 14, 56, 3, 3, 1, padded)},
      {Conv2dAlgorithm::Winograd4x4Int16, shape_of(3, 232, 7, 7, 40, 3, 3, 1, padded)},
      {Conv2dAlgorithm::WinogradStrided, shape_of(2, 40, 15, 13, 72, 3, 3, 1, strided)},
      {Conv2dAlgorithm::WinogradStem,
       shape_of(2, 3, 31, 37, 40, 7, 7, 1, {.stride_h = 2, .pad_h = 3})},
  };
  for (Case& c : cases) c.shape.int16 = 1;
  return cases;
}

std::vector<std::uint16_t> rounded(const std::vector<float>& y) {
  std::vector<std::uint16_t> bits;
  for (const float value : y) bits.push_back(to_bf16(value).bits);
  return bits;
}

TEST(Conv2dBf16, StoresWhatF32WouldRounded) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(std::string(name_of(c.algorithm)) + " " + test::name(c.shape));
    Conv2dChoices choices(c.algorithm);
    const UseConv2dChoices use(choices);
    const Operands o(c.shape);
    const std::vector<float> shift = test::test_data(c.shape.k, 4);
    for (const cpu::Isa isa : cpu::isas_of_this_cpu()) {
      const auto backend = cpu::make_backend(isa);
      ASSERT_TRUE(backend->conv2d_stores_bf16(c.shape));
      std::vector<float> mean_var(static_cast<std::size_t>(2 * c.shape.k));
      Epilogue epilogue;
      epilogue.shift = test::view_of(shift, {c.shape.k});
      epilogue.bn_mean_var = test::view_of(mean_var, {2, c.shape.k});
      const std::vector<float> y = test::forward(c.shape, o, *backend, epilogue);
      const std::vector<float> want_moments = mean_var;
      for (const int threads : {1, 3}) {
        // A guard behind the last output.
        std::vector<std::uint16_t> bf16(y.size() + 16, 7);
        std::fill(mean_var.begin(), mean_var.end(), -7.0F);
        test::KernelContext context(threads);
        backend->run(context,
                     Conv2dForward{.shape = c.shape,
                                   .x = test::view_of(o.x, c.shape.input_shape()),
                                   .w = test::view_of(o.w, c.shape.weight_shape()),
                                   .epilogue = epilogue,
                                   .y = {bf16.data(), DType::BF16, c.shape.output_shape()}});
        EXPECT_EQ(std::vector<std::uint16_t>(16, 7),
                  std::vector<std::uint16_t>(bf16.end() - 16, bf16.end()));
        bf16.resize(y.size());
        EXPECT_EQ(bf16, rounded(y));
        EXPECT_EQ(mean_var, want_moments);  // of what was not rounded yet
      }
    }
  }
}

TEST(Conv2dBf16, IsRefusedByAlgorithmsThatStoreF32) {
  const Conv2dShape s = shape_of(1, 16, 5, 5, 16, 1, 1);
  const auto backend = cpu::make_backend(cpu::Isa::Portable);
  EXPECT_FALSE(backend->conv2d_stores_bf16(s));
  const Operands o(s);
  std::vector<std::uint16_t> y(o.dy.size());
  test::KernelContext context;
  EXPECT_THROW(backend->run(context, Conv2dForward{.shape = s,
                                                   .x = test::view_of(o.x, s.input_shape()),
                                                   .w = test::view_of(o.w, s.weight_shape()),
                                                   .y = {y.data(), DType::BF16, s.output_shape()}}),
               DTypeError);
}

TEST(Conv2dBf16, RoundsAsTheScalarConversionOnEveryPath) {
  std::vector<float> x;
  for (std::uint32_t upper = 0; upper < 0x10000; ++upper) {
    for (const std::uint32_t lower : {0U, 1U, 0x7fffU, 0x8000U, 0x8001U, 0xffffU}) {
      x.push_back(std::bit_cast<float>(upper << 16 | lower));
    }
  }
  x.push_back(1.00390625F);  // an odd number: the last ones fill no vector
  for (const cpu::Isa isa : cpu::isas_of_this_cpu()) {
    std::vector<std::uint16_t> y(x.size());
    const Shape shape{static_cast<std::int64_t>(x.size())};
    test::KernelContext context;
    cpu::make_backend(isa)->run(
        context, Cast{{y.data(), DType::BF16, shape}, {x.data(), DType::F32, shape}});
    EXPECT_EQ(y, rounded(x));
  }
}

}  // namespace
}  // namespace hanok
