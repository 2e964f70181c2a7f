#include "hanok/kernels/cpu/gemm.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <new>
#include <string>
#include <tuple>

#include "hanok/kernels/base/error.h"
#include "tests/kernels/backend_runs.h"
#include "tests/kernels/gemm_reference.h"
#include "tests/support/sanitized.h"

namespace hanok {
namespace {

using test::KernelContext;

struct Case : test::GemmOperands {
  using GemmOperands::GemmOperands;

  std::vector<float> run(Backend& backend, const Epilogue& e, int threads = 2) const {
    KernelContext context(threads);
    std::vector<float> out = c;
    backend.run(context,
                Gemm{shape, test::view_of(a, {}), test::view_of(b, {}), e, test::view_of(out, {})});
    return out;
  }

  void check(int epilogue = 0) const {
    const std::vector<double> want = reference(epilogue);
    const Epilogue e =
        test::epilogue_of(epilogue, test::view_of(scale, {shape.n}),
                          test::view_of(shift, {shape.n}), test::view_of(residual, {}));
    for (const auto& backend : test::testable_backends()) {
      // The CPU adds k in pieces, the GPU's own tiles one after the other.
      const double tolerance = backend->device().is_cpu() ? 4e-6 : 1e-5;
      EXPECT_LE(test::error_over_rms(run(*backend, e), want), tolerance)
          << backend->name() << " " << name(epilogue);
    }
  }
};

TEST(Gemm, MatchesDoubleReferenceForEveryTail) {
  for (std::int64_t m = 1; m <= 13; ++m) {
    for (std::int64_t n = 1; n <= 34; ++n) {
      Case(m, n, (m * 7 + n * 3) % 19 + 1, m % 2 == 1, n % 2 == 1).check();
    }
  }
}

TEST(Gemm, MatchesDoubleReferenceAcrossBlocks) {
  for (const bool ta : {false, true}) {
    for (const bool tb : {false, true}) {
      Case(145, 33, 257, ta, tb).check();
      Case(300, 65, 513, ta, tb, 1, 3).check();
      Case(7, 2050, 31, ta, tb).check();
      Case(1, 1, 1000, ta, tb).check();
    }
  }
}

TEST(Gemm, BatchesAndPaddedRows) {
  Case(5, 17, 9, false, false, 3, 2).check();
  Case(150, 19, 8, true, true, 2, 1).check();
}

TEST(Gemm, Accumulates) {
  Case(7, 18, 5, false, true, 2, 1, true).check();
  Case(10, 20, 600, false, false, 1, 0, true).check();
}

TEST(Gemm, EmptySums) {
  Case(4, 5, 0, false, false).check();
  Case(4, 5, 0, false, false, 1, 0, true).check();
  Case(0, 5, 3, false, false).check();
  Case(4, 0, 3, false, false).check();
}

TEST(Gemm, EpilogueInEveryCombination) {
  for (const std::int64_t m : {149, 9}) {  // many rows, few
    const Case c(m, 37, 300, false, true, 1, 2);
    for (int epilogue = 0; epilogue < test::kEveryEpilogue; ++epilogue) c.check(epilogue);
  }
}

// A linear layer gives an image the same result whatever the number of images beside it.
TEST(Gemm, ARowIsTheSameBitsAmongFewAndAmongMany) {
  const Case many(60, 101, 600, false, true);
  Epilogue e;
  e.shift = test::view_of(many.shift, {101});
  e.activation = Activation::Relu;
  for (const std::int64_t m : {1, 16, 33}) {
    Case few = many;
    few.shape.m = m;
    few.c.resize(static_cast<std::size_t>(m * few.shape.ldc));
    for (const auto& backend : test::testable_backends()) {
      if (!backend->device().is_cpu()) continue;
      std::vector<float> want = many.run(*backend, e);
      want.resize(few.c.size());
      for (const int threads : {1, 2, 3}) EXPECT_EQ(few.run(*backend, e, threads), want) << m;
    }
  }
}

TEST(Gemm, ReluKeepsNaN) {
  Case c(3, 20, 4, false, false);
  c.a[0] = std::nanf("");
  Epilogue e;
  e.activation = Activation::Relu;
  for (const auto& backend : test::testable_backends()) {
    const auto out = c.run(*backend, e);
    EXPECT_TRUE(std::isnan(out[0]));
    EXPECT_FALSE(std::isnan(out[static_cast<std::size_t>(c.shape.ldc)]));
  }
}

TEST(Gemm, MeanAndVarianceOfTheStoredValues) {
  Case c(700, 21, 8, false, false);
  for (float& v : c.shift) v = 10 + v;
  std::vector<float> mean_var(42);
  Epilogue e;
  e.shift = test::view_of(c.shift, {21});
  e.bn_mean_var = test::view_of(mean_var, {2, 21});
  for (const auto& backend : test::testable_backends()) {
    const auto out = c.run(*backend, e);
    for (std::size_t j = 0; j < 21; ++j) {
      double mean = 0;
      double var = 0;
      for (std::size_t i = 0; i < 700; ++i) mean += out[i * 21 + j];
      mean /= 700;
      for (std::size_t i = 0; i < 700; ++i)
        var += (out[i * 21 + j] - mean) * (out[i * 21 + j] - mean);
      var /= 700;
      EXPECT_NEAR(mean_var[j], mean, 2e-6 * std::fabs(mean));
      EXPECT_NEAR(mean_var[21 + j], var, 5e-6 * var);
    }
  }
}

TEST(Gemm, SameBitsForAnyThreadCount) {
  const Case c(333, 77, 300, false, false);
  std::vector<float> mean_var(154);
  Epilogue e;
  e.bn_mean_var = test::view_of(mean_var, {2, 77});
  for (const auto& backend : test::testable_backends()) {
    const auto one = c.run(*backend, e, 1);
    const auto moments = mean_var;
    for (const int threads : {2, 3}) {
      EXPECT_EQ(c.run(*backend, e, threads), one);
      EXPECT_EQ(mean_var, moments);
    }
  }
}

TEST(Gemm, RefusesOtherTypesAndShortRows) {
  KernelContext context;
  Case c(4, 5, 6, false, false);
  ConstView a = test::view_of(c.a, {4, 6});
  a.dtype = DType::F64;
  const auto backend = test::testable_backends().front();
  EXPECT_THROW(
      backend->run(context,
                   Gemm{c.shape, a, test::view_of(c.b, {6, 5}), {}, test::view_of(c.c, {4, 5})}),
      DTypeError);
  c.shape.ldb = 4;
  EXPECT_THROW(c.run(*backend, {}), ValueError);
}

TEST(ThreadScratch, IsThereAgainAfterARefusedRequest) {
  if (test::kSanitized) GTEST_SKIP() << "sanitizers end a program that asks for too much";
  ASSERT_NE(cpu::thread_scratch(1000), nullptr);
  // Far beyond any memory, and no multiplication overflows on the way.
  EXPECT_THROW(cpu::thread_scratch(std::int64_t{1} << 58), std::bad_alloc);
  EXPECT_NE(cpu::thread_scratch(100), nullptr);
}

TEST(SumRows, AddsTheRowsOfEachChannelInDouble) {
  struct Sizes {
    std::int64_t rows, channels;
  };
  for (const auto& [rows, channels] : {Sizes{0, 3}, Sizes{1, 1}, Sizes{33, 31}, Sizes{511, 17},
                                       Sizes{1025, 33}, Sizes{1025, 64}, Sizes{5000, 3}}) {
    const Shape shape{rows, channels};
    const std::vector<float> x = test::test_data(shape.numel(), 1, 100, 1);
    std::vector<double> want(static_cast<std::size_t>(channels));
    for (std::size_t i = 0; i < x.size(); ++i) want[i % want.size()] += x[i];
    test::on_every_path(
        [&](Backend& backend, ExecContext& context) {
          std::vector<float> out(want.size(), -1.0F);
          backend.run(context, SumRows{test::view_of(x, shape), shape[0], shape[1],
                                       test::view_of(out, {shape[1]})});
          return out;
        },
        [&](const std::vector<float>& out) { test::expect_near(out, want, 1e-7); });
  }
}

}  // namespace
}  // namespace hanok
