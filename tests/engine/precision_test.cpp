// The precision policy on the CPU, which has f32 and int16; tests/cuda/nn has the rest.
#include "hanok/engine/precision.h"

#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <limits>
#include <vector>

#include "hanok/engine/generator.h"
#include "hanok/engine/ops.h"
#include "hanok/kernels/base/error.h"

namespace hanok {
namespace {

using ::testing::HasSubstr;

template <typename Exception, typename Action>
std::string message_of(const Action& action) {
  try {
    action();
  } catch (const Exception& error) {
    return error.what();
  }
  return "nothing was thrown";
}

TEST(Precision, HasANameEach) {
  for (const Precision p :
       {Precision::F32, Precision::TF32, Precision::BF16, Precision::F16, Precision::Int16}) {
    EXPECT_EQ(precision_of(name_of(p)), p);
  }
  EXPECT_THAT(message_of<ValueError>([] { precision_of("fp8"); }),
              HasSubstr("\"fp8\": expected one of f32, tf32, bf16, f16, int16"));
}

TEST(Precision, ScopesNest) {
  EXPECT_EQ(precision(), Precision::F32);
  {
    const PrecisionScope outer(Precision::BF16);
    {
      const PrecisionScope inner(Precision::F16);
      EXPECT_EQ(compute_dtype(precision()), DType::F16);
    }
    EXPECT_EQ(compute_dtype(precision()), DType::BF16);
  }
  EXPECT_EQ(compute_dtype(precision()), DType::F32);
  EXPECT_EQ(compute_dtype(Precision::TF32), DType::F32);
  EXPECT_EQ(compute_dtype(Precision::Int16), DType::F32);
}

TEST(Precision, TheCpuHasF32AndInt16Alone) {
  EXPECT_NO_THROW(check_precision(Precision::F32, Device::cpu()));
  EXPECT_NO_THROW(check_precision(Precision::Int16, Device::cpu()));
  EXPECT_THAT(message_of<DeviceError>([] { check_precision(Precision::TF32, Device::cpu()); }),
              HasSubstr("precision tf32: the CPU computes in f32 and int16 alone"));
  const Tensor x = Tensor::ones({2, 3, 4, 4});
  const Tensor w = Tensor::ones({5, 3, 1, 1});
  const Tensor a = Tensor::ones({2, 3});
  const PrecisionScope scope(Precision::BF16);
  EXPECT_THAT(message_of<DeviceError>([&] { ops::conv2d(x, w); }),
              HasSubstr("conv2d: the CPU computes in f32 and int16 alone, not in bf16"));
  EXPECT_THAT(message_of<DeviceError>([&] { ops::linear(a, a); }), HasSubstr("linear: "));
  EXPECT_THAT(message_of<DeviceError>([&] { ops::matmul(a, a); }), HasSubstr("matmul: "));
}

struct Convolved {
  std::vector<float> y, dx, dw;
};

Convolved convolve(Precision precision) {
  const PrecisionScope scope(precision);
  Generator generator(1);
  Tensor x = random_normal({8, 64, 16, 16}, 0, 1, generator);
  Tensor w = random_normal({32, 64, 3, 3}, 0, 1, generator);
  const Tensor dy = random_normal({8, 32, 16, 16}, 0, 1, generator);
  x.set_requires_grad(true);
  w.set_requires_grad(true);
  const Tensor y = ops::conv2d(x, w, {}, {.pad_h = 1});
  y.backward(dy);
  return {y.to_vector(), x.grad().to_vector(), w.grad().to_vector()};
}

double rms_of_difference_over_rms(const std::vector<float>& a, const std::vector<float>& b) {
  double errors = 0;
  double squares = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    errors += (static_cast<double>(a[i]) - b[i]) * (static_cast<double>(a[i]) - b[i]);
    squares += static_cast<double>(b[i]) * b[i];
  }
  return std::sqrt(errors / squares);
}

TEST(Precision, Int16RoundsResultsAndGradientsOfConvolutions) {
  const Convolved floats = convolve(Precision::F32);
  const Convolved integers = convolve(Precision::Int16);
  EXPECT_NE(integers.y, floats.y);
  EXPECT_NE(integers.dx, floats.dx);
  EXPECT_NE(integers.dw, floats.dw);
  EXPECT_LT(rms_of_difference_over_rms(integers.y, floats.y), 2e-3);
  EXPECT_LT(rms_of_difference_over_rms(integers.dx, floats.dx), 2e-3);
  EXPECT_LT(rms_of_difference_over_rms(integers.dw, floats.dw), 2e-3);
}

TEST(Cast, ConvertsAndSendsTheGradientBack) {
  Tensor x = Tensor::from_vector(std::vector<float>{1, 1.00390625F, -3.3F, 1e-9F}, {4});
  x.set_requires_grad(true);
  const Tensor half = ops::cast(x, DType::F16);
  EXPECT_EQ(half.dtype(), DType::F16);
  EXPECT_EQ(half.to_vector(), (std::vector<float>{1, 1.00390625F, -3.30078125F, 0}));
  const Tensor back = ops::cast(half, DType::F32);
  back.backward(Tensor::from_vector(std::vector<float>{1, 0.1F, 100000, -2}, {4}));
  // Rounded on its way through f16; 100000 is beyond it.
  EXPECT_EQ(x.grad().to_vector(),
            (std::vector<float>{1, 0.0999755859375F, std::numeric_limits<float>::infinity(), -2}));
  EXPECT_EQ(ops::cast(x, DType::F32).id(), x.id());
  EXPECT_THAT(message_of<DTypeError>([&] { ops::cast(x, DType::I64); }),
              HasSubstr("has no gradient through i64"));
  EXPECT_EQ(ops::cast(x.detach(), DType::I64).to_int_vector(),
            (std::vector<std::int64_t>{1, 1, -3, 0}));
}

TEST(Cast, OpsOnTheCpuRefuseHalves) {
  const Tensor half = Tensor::ones({2, 2}).to(DType::BF16);
  EXPECT_THAT(message_of<DTypeError>([&] { ops::relu(half); }),
              HasSubstr("relu: input is bf16, expected f32 (input [2,2])"));
  EXPECT_THAT(message_of<DTypeError>([&] { ops::add(half, half); }), HasSubstr("expected f32"));
  EXPECT_THAT(message_of<DTypeError>([&] {
                ops::add(Tensor::ones({2, 2}), half);
              }),
              HasSubstr("add: b is bf16, expected f32 (a [2,2], b [2,2])"));
  EXPECT_THAT(message_of<DTypeError>([&] {
                ops::linear(half, Tensor::ones({2, 2}));
              }),
              HasSubstr("linear: input is bf16, expected f32"));
  EXPECT_THAT(message_of<DTypeError>([&] { ops::softmax(half, 1); }), HasSubstr("expected f32"));
}

}  // namespace
}  // namespace hanok
