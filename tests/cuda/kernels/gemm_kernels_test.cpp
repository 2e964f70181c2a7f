// The hand-written matrix products themselves, which a device with cuBLAS never calls.
#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "hanok/kernels/cuda/gemm/gemm.h"
#include "hanok/kernels/cuda/gemm/gemm_ladder.h"
#include "tests/cuda/kernels/device.h"
#include "tests/cuda/kernels/half_array.h"
#include "tests/kernels/gemm_reference.h"

namespace hanok {
namespace {

using test::DeviceArray;
using test::DeviceContext;
using test::error_over_rms;
using test::HalfArray;
using test::test_data;

class GemmKernels : public test::OnDevice {};
class GemmLadder : public test::OnDevice {};

struct Case : test::GemmOperands {
  using GemmOperands::GemmOperands;

  void check(int epilogue = 0) const {
    DeviceContext context;
    const DeviceArray<float> da(a), db(b), dc(c), dscale(scale), dshift(shift), dresidual(residual);
    const Epilogue e = test::epilogue_of(epilogue, dscale.view(), dshift.view(), dresidual.view());
    cuda::gemm(context, shape, da.view(), db.view(), e, dc.view());
    // A sum of k terms in f32.
    EXPECT_LE(error_over_rms(dc.values(), reference(epilogue)), 1e-5) << name(epilogue);
  }
};

TEST_F(GemmKernels, MatchDoubleReferenceForTailsAndTransposes) {
  for (const bool ta : {false, true}) {
    for (const bool tb : {false, true}) {
      Case(1, 1, 1, ta, tb).check();
      Case(31, 33, 31, ta, tb).check();
      Case(33, 31, 17, ta, tb).check();
      Case(65, 66, 34, ta, tb, 1, 3).check();
      Case(64, 68, 32, ta, tb, 2, 4).check();
      Case(3, 2, 300, ta, tb).check();
      Case(4, 8, 0, ta, tb, 1, 0, true).check();
    }
  }
}

TEST_F(GemmKernels, LargeTilesMatchDoubleReference) {
  for (const bool ta : {false, true}) {
    for (const bool tb : {false, true}) {
      Case(129, 66, 9, ta, tb, 32).check();   // 64 tiles, elements one by one
      Case(128, 72, 20, ta, tb, 64).check();  // 64 tiles, 16 bytes at once
      Case(65, 130, 3, ta, tb, 32, 1, true).check(test::kEveryEpilogue - 1);
    }
  }
}

TEST_F(GemmKernels, EpilogueInEveryCombination) {
  const Case odd(37, 35, 20, false, true, 2, 1);
  const Case vectors(33, 36, 20, true, false, 2, 4, true);
  for (int epilogue = 0; epilogue < test::kEveryEpilogue; ++epilogue) {
    odd.check(epilogue);
    vectors.check(epilogue);
  }
}

TEST_F(GemmKernels, MeanAndVarianceOfTheStoredValues) {
  const Case c(67, 20, 9, false, false, 3, 2);
  DeviceContext context;
  const DeviceArray<float> da(c.a), db(c.b), dc(c.c);
  const DeviceArray<float> moments(std::vector<float>(40));
  Epilogue e;
  e.bn_mean_var = moments.view({2, 20});
  cuda::gemm(context, c.shape, da.view(), db.view(), e, dc.view());
  const std::vector<float> got = dc.values();
  std::vector<double> want(40);
  const double rows = 3 * 67;
  const auto for_elements = [&](const auto& visit) {
    for (std::int64_t row = 0; row < 3 * 67; ++row) {
      for (std::int64_t j = 0; j < 20; ++j) {
        visit(
            got[static_cast<std::size_t>(row / 67 * c.shape.stride_c + row % 67 * c.shape.ldc + j)],
            static_cast<std::size_t>(j));
      }
    }
  };
  for_elements([&](double y, std::size_t j) { want[j] += y / rows; });
  for_elements(
      [&](double y, std::size_t j) { want[20 + j] += (y - want[j]) * (y - want[j]) / rows; });
  EXPECT_LE(error_over_rms(moments.values(), want), 1e-6);
}

TEST_F(GemmKernels, SumRowsMatchesDouble) {
  for (const auto& [rows, channels] :
       {std::pair<std::int64_t, std::int64_t>{1, 1}, {31, 33}, {1000, 64}, {5003, 3}, {0, 5}}) {
    const std::vector<float> x = test_data(rows * channels, 1, 0.5F);
    DeviceContext context;
    const DeviceArray<float> dx(x);
    const DeviceArray<float> sums(std::vector<float>(static_cast<std::size_t>(channels), 7));
    cuda::run(context, SumRows{dx.view({rows, channels}), rows, channels, sums.view()});
    std::vector<double> want(static_cast<std::size_t>(channels));
    for (std::size_t i = 0; i < x.size(); ++i) want[i % want.size()] += x[i];
    EXPECT_LE(error_over_rms(sums.values(), want), 1e-6) << rows << " x " << channels;
  }
}

// ---- the ladder ----

/// x with `bits` bits of mantissa, by arithmetic in double. Ties: TF32 (10 bits) rounds away from
/// zero, bf16 to even.
float rounded(float x, int bits) {
  if (x == 0) return x;
  int exponent = 0;
  std::frexp(x, &exponent);
  const double unit = std::ldexp(1.0, exponent - bits - 1);
  return static_cast<float>((bits == 10 ? std::round(x / unit) : std::nearbyint(x / unit)) * unit);
}

struct LadderCase {
  std::int64_t m, n, k;
};

/// Worst error over the rms of a rung's product, against operands rounded to `bits` of mantissa or,
/// where they are given in 16 bits, as stored.
double ladder_error(cuda::GemmRung rung, const LadderCase& s, int bits, DType stored = DType::F32) {
  std::vector<float> a = test_data(s.m * s.k, 1);
  std::vector<float> b = test_data(s.k * s.n, 2);
  DeviceContext context;
  const HalfArray da(stored, a), db(stored, b);
  const DeviceArray<float> dc(std::vector<float>(static_cast<std::size_t>(s.m * s.n), 7));
  cuda::gemm_ladder(context, rung, s.m, s.n, s.k, da.view(), db.view(), dc.view());
  for (std::vector<float>* operand : {&a, &b}) {
    if (stored != DType::F32) *operand = test::rounded_to(stored, *operand);
    for (float& x : *operand) x = rounded(x, bits);
  }
  std::vector<double> want(static_cast<std::size_t>(s.m * s.n));
  for (std::size_t i = 0; i < want.size(); ++i) {
    const std::size_t row = i / static_cast<std::size_t>(s.n) * static_cast<std::size_t>(s.k);
    const std::size_t column = i % static_cast<std::size_t>(s.n);
    for (std::size_t k = 0; k < static_cast<std::size_t>(s.k); ++k) {
      want[i] += static_cast<double>(a[row + k]) * b[k * static_cast<std::size_t>(s.n) + column];
    }
  }
  return error_over_rms(dc.values(), want);
}

int mantissa_of(cuda::GemmRung rung) {
  return rung == cuda::GemmRung::TensorTf32 ? 10 : rung == cuda::GemmRung::TensorBf16 ? 7 : 23;
}

TEST_F(GemmLadder, EveryRungIsTheProduct) {
  for (int rung = 0; rung < cuda::kGemmRungs; ++rung) {
    const auto r = static_cast<cuda::GemmRung>(rung);
    for (const LadderCase& s :
         {LadderCase{1, 1, 1}, LadderCase{31, 33, 31}, LadderCase{33, 31, 17},
          LadderCase{130, 129, 33}, LadderCase{129, 132, 36}, LadderCase{5, 4, 0}}) {
      if (r == cuda::GemmRung::TensorHalf) continue;
      EXPECT_LE(ladder_error(r, s, mantissa_of(r)), 1e-5)
          << cuda::name_of(r) << " m " << s.m << " n " << s.n << " k " << s.k;
    }
  }
}

TEST_F(GemmLadder, TheHighestRungTakesBothSixteenBitTypes) {
  for (const DType stored : {DType::F16, DType::BF16}) {
    for (const LadderCase& s : {LadderCase{1, 1, 1}, LadderCase{33, 31, 17},
                                LadderCase{130, 136, 72}, LadderCase{5, 4, 0}}) {
      EXPECT_LE(ladder_error(cuda::GemmRung::TensorHalf, s, 23, stored), 1e-5)
          << name_of(stored) << " m " << s.m << " n " << s.n << " k " << s.k;
    }
  }
}

TEST_F(GemmLadder, RefusesOperandsOfAnotherTypeThanTheRungs) {
  const LadderCase s{2, 2, 2};
  EXPECT_THROW(ladder_error(cuda::GemmRung::TensorHalf, s, 23), DTypeError);
  EXPECT_THROW(ladder_error(cuda::GemmRung::TensorBf16, s, 7, DType::BF16), DTypeError);
}

TEST_F(GemmLadder, TensorCoresRoundTheirOperands) {
  const LadderCase s{33, 40, 64};
  EXPECT_GT(ladder_error(cuda::GemmRung::TensorTf32, s, 23), 1e-4);
  EXPECT_GT(ladder_error(cuda::GemmRung::TensorBf16, s, 10), 1e-3);
}

TEST_F(GemmLadder, NamesAreDistinct) {
  std::vector<std::string> names;
  for (int rung = 0; rung < cuda::kGemmRungs; ++rung) {
    names.emplace_back(cuda::name_of(static_cast<cuda::GemmRung>(rung)));
  }
  std::sort(names.begin(), names.end());
  EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
  EXPECT_EQ(std::find(names.begin(), names.end(), "?"), names.end());
}

}  // namespace
}  // namespace hanok
