// What stands between the backend and NVIDIA's libraries: fused_convolution.cpp with an engine that
// knows only some graphs, blas_product.cpp with a table whose product is BLAS's definition.
#include <algorithm>
#include <cstring>
#include <functional>
#include <string>

#include "hanok/kernels/base/half.h"
#include "hanok/kernels/cuda/conv/conv2d.h"
#include "hanok/kernels/cuda/conv/fused_convolution.h"
#include "hanok/kernels/cuda/gemm/precision.h"
#include "hanok/kernels/cuda/libraries/blas_product.h"
#include "hanok/kernels/cuda/ops/channel_sums.h"
#include "tests/cuda/kernels/device.h"
#include "tests/kernels/conv2d_reference.h"

namespace hanok {
namespace {

using cuda::ConvolutionProblem;
using cuda::GraphTensor;
using test::DeviceArray;
using test::DeviceContext;
using test::error_over_rms;
using test::Operands;
using test::test_data;

void copy(CudaRuntime::Copy direction, void* to, const void* from, std::size_t bytes) {
  cuda_runtime()->copy(0, CudaRuntime::Stream::Compute, direction, to, from, bytes);
  cuda_runtime()->synchronize(0, CudaRuntime::Stream::Compute);
}

/// bf16 values on the device.
class Bf16OnDevice {
 public:
  explicit Bf16OnDevice(const std::vector<BF16>& values) : memory_(values.size() * sizeof(BF16)) {
    memory_.upload(values.data());
  }
  View view(const Shape& shape) const { return {memory_.data(), DType::BF16, shape}; }

 private:
  test::DeviceMemory memory_;
};

// ---- convolutions ----

/// Runs what `knows` accepts by our own kernels, and records the requests.
class PretendedEngines final : public cuda::ConvolutionEngines {
 public:
  std::function<bool(const ConvolutionProblem&)> knows = [](const ConvolutionProblem&) {
    return true;
  };
  std::vector<std::string> asked;

  bool run(ExecContext& context, const ConvolutionProblem& problem,
           const cuda::TensorPointers& tensors) override {
    asked.push_back(extras(problem) + (knows(problem) ? "" : " refused"));
    if (!knows(problem)) return false;
    const auto view = [&](GraphTensor number, const Shape& shape) -> View {
      for (const auto& [n, pointer] : tensors) {
        if (n == number) return {pointer, DType::F32, shape};
      }
      throw ValueError("a tensor is missing");
    };
    const Conv2dShape& s = problem.shape;
    if (problem.dtype != DType::F32 && !problem.statistics) return true;  // leaves y as it is
    if (problem.dtype != DType::F32) {  // the sums alone: the test knows what y would be
      for (const GraphTensor number : {GraphTensor::Sum, GraphTensor::SumOfSquares}) {
        const std::vector<float> sums(static_cast<std::size_t>(s.k),
                                      number == GraphTensor::Sum ? 6.0F : 20.0F);
        copy(CudaRuntime::Copy::HostToDevice, view(number, {s.k}).data, sums.data(),
             sums.size() * sizeof(float));
      }
      return true;
    }
    Epilogue epilogue;
    if (problem.scale) epilogue.scale = view(GraphTensor::Scale, {s.k});
    if (problem.shift) epilogue.shift = view(GraphTensor::Shift, {s.k});
    if (problem.residual) epilogue.residual = view(GraphTensor::Residual, s.output_shape());
    if (problem.relu) epilogue.activation = Activation::Relu;
    const View x = view(GraphTensor::X, s.input_shape()),
               w = view(GraphTensor::W, s.weight_shape()),
               y = view(GraphTensor::Y, s.output_shape());
    switch (problem.pass) {
      case Conv2dPass::Forward:
        cuda::conv2d_forward(context, s, x, w, epilogue, y);
        break;
      case Conv2dPass::BackwardData:
        cuda::conv2d_backward_data(context, s, y, w, x);
        break;
      case Conv2dPass::BackwardWeights:
        cuda::conv2d_backward_weights(context, s, x, y, w);
        break;
    }
    return true;
  }
  std::string engine(const ConvolutionProblem& problem) override {
    return knows(problem) ? "pretended engine" : "";
  }
  std::size_t workspace_bytes(const ConvolutionProblem&) override { return 77; }

 private:
  // The problem's text from the type on.
  static std::string extras(const ConvolutionProblem& problem) {
    const std::string text = problem.text();
    return text.substr(text.rfind("dilation") + std::strlen("dilation1x1 "));
  }
};

class FusedConvolution : public test::OnDevice {
 protected:
  void SetUp() override {
    test::OnDevice::SetUp();
    if (IsSkipped()) return;
    auto owned = std::make_unique<PretendedEngines>();
    engines_ = owned.get();
    convolution_ = cuda::make_fused_convolution(std::move(owned));
  }

  /// y and the moments of a forward pass with everything in its epilogue.
  std::pair<std::vector<float>, std::vector<float>> forward(bool statistics) {
    const DeviceArray<float> x(o_.x), w(o_.w), scale(scale_), shift(shift_), residual(residual_),
        y(std::vector<float>(o_.dy.size(), -7)), moments(std::vector<float>(2 * scale_.size()));
    Epilogue epilogue;
    epilogue.scale = scale.view();
    epilogue.shift = shift.view();
    epilogue.residual = residual.view(s_.output_shape());
    epilogue.activation = Activation::Relu;
    if (statistics) epilogue.bn_mean_var = moments.view({2, s_.k});
    DeviceContext context;
    convolution_->forward(context, s_, x.view(s_.input_shape()), w.view(s_.weight_shape()),
                          epilogue, y.view(s_.output_shape()));
    return {y.values(), moments.values()};
  }

  std::vector<double> expected() const {
    std::vector<double> y(o_.dy.size());
    test::for_each_product(s_, [&](std::size_t iy, std::size_t ix, std::size_t iw) {
      y[iy] += static_cast<double>(o_.x[ix]) * o_.w[iw];
    });
    for (std::size_t i = 0; i < y.size(); ++i) {
      const std::size_t k = i % scale_.size();
      y[i] = std::max(y[i] * scale_[k] + shift_[k] + residual_[i], 0.0);
    }
    return y;
  }

  void expect_right(const std::pair<std::vector<float>, std::vector<float>>& got, bool statistics) {
    const std::vector<double> want = expected();
    EXPECT_LT(error_over_rms(got.first, want), 1e-5);
    if (!statistics) return;
    const std::size_t channels = scale_.size();
    const double rows = static_cast<double>(want.size() / channels);
    std::vector<double> moments(2 * channels);
    for (std::size_t i = 0; i < want.size(); ++i) moments[i % channels] += want[i] / rows;
    for (std::size_t i = 0; i < want.size(); ++i) {
      const double deviation = want[i] - moments[i % channels];
      moments[channels + i % channels] += deviation * deviation / rows;
    }
    EXPECT_LT(error_over_rms(got.second, moments), 1e-5);
  }

  Conv2dShape s_ = test::shape_of(2, 5, 6, 7, 9, 3, 3, 1, {1, 1, 1, 1, 1, 1});
  Operands o_{s_};
  std::vector<float> scale_ = test_data(9, 4, 1, 0.5F), shift_ = test_data(9, 5),
                     residual_ = test_data(s_.output_shape().numel(), 6);
  PretendedEngines* engines_ = nullptr;
  std::unique_ptr<cuda::Convolution> convolution_;
};

using Asked = std::vector<std::string>;

TEST_F(FusedConvolution, RunsTheWholeEpilogueWhereAnEngineHasIt) {
  expect_right(forward(false), false);
  EXPECT_EQ(engines_->asked, (Asked{"f32 +scale +shift +residual +relu"}));
}

TEST_F(FusedConvolution, TakesMomentsByAKernelOfTheirOwnAfterAFusedOne) {
  expect_right(forward(true), true);
  EXPECT_EQ(engines_->asked, (Asked{"f32 +scale +shift +residual +relu"}));
}

TEST_F(FusedConvolution, RunsTheEpilogueAfterAPlainConvolutionWhereItsGraphIsRefused) {
  engines_->knows = [](const ConvolutionProblem& problem) { return !problem.fused(); };
  expect_right(forward(true), true);
  EXPECT_EQ(engines_->asked, (Asked{"f32 +scale +shift +residual +relu refused", "f32"}));
}

TEST_F(FusedConvolution, RunsOnOurOwnKernelsWhereAllIsRefused) {
  engines_->knows = [](const ConvolutionProblem&) { return false; };
  expect_right(forward(true), true);
  EXPECT_EQ(engines_->asked, (Asked{"f32 +scale +shift +residual +relu refused", "f32 refused"}));
  EXPECT_STREQ(convolution_->algorithm(Conv2dPass::Forward, s_),
               cuda::conv2d_algorithm(Conv2dPass::Forward, s_));
  EXPECT_EQ(convolution_->workspace_bytes(Conv2dPass::Forward, s_),
            cuda::conv2d_workspace_bytes(Conv2dPass::Forward, s_));
}

TEST_F(FusedConvolution, TellsTheEngineAndItsScratch) {
  EXPECT_STREQ(convolution_->algorithm(Conv2dPass::BackwardData, s_), "pretended engine");
  EXPECT_EQ(convolution_->workspace_bytes(Conv2dPass::BackwardData, s_), 77U);
}

// bf16 on sm_90 and cuDNN 9.19: the sums of batch norm have no engine there.
TEST_F(FusedConvolution, AsksForSumsInSixteenBitsAndDoesWithoutThem) {
  const Conv2dShape s = test::shape_of(1, 1, 2, 2, 3, 1, 1);
  const std::vector<BF16> values(12, to_bf16(1.5F));
  for (const bool has_sums : {true, false}) {
    engines_->asked.clear();
    engines_->knows = [has_sums](const ConvolutionProblem& problem) {
      return has_sums || !problem.statistics;
    };
    const Bf16OnDevice bf16(values);
    const DeviceArray<float> moments(std::vector<float>(6, -7));
    Epilogue epilogue;
    epilogue.bn_mean_var = moments.view({2, 3});
    DeviceContext context;
    convolution_->forward(context, s, bf16.view(s.input_shape()), bf16.view(s.weight_shape()),
                          epilogue, bf16.view(s.output_shape()));
    if (has_sums) {  // of 4 values: sum 6, sum of squares 20
      EXPECT_EQ(engines_->asked, (Asked{"bf16 +statistics"}));
      EXPECT_EQ(moments.values(), (std::vector<float>{1.5F, 1.5F, 1.5F, 2.75F, 2.75F, 2.75F}));
    } else {  // the engine left y as it was, 1.5 everywhere
      EXPECT_EQ(engines_->asked, (Asked{"bf16 +statistics refused", "bf16"}));
      EXPECT_EQ(moments.values(), (std::vector<float>{1.5F, 1.5F, 1.5F, 0, 0, 0}));
    }
  }
}

TEST_F(FusedConvolution, ComputesBothBackwardPasses) {
  std::vector<double> dx(o_.x.size()), dw(o_.w.size());
  test::for_each_product(s_, [&](std::size_t iy, std::size_t ix, std::size_t iw) {
    dx[ix] += static_cast<double>(o_.dy[iy]) * o_.w[iw];
    dw[iw] += static_cast<double>(o_.dy[iy]) * o_.x[ix];
  });
  for (const bool refuses : {false, true}) {
    engines_->asked.clear();
    engines_->knows = [refuses](const ConvolutionProblem&) { return !refuses; };
    const DeviceArray<float> x(o_.x), w(o_.w), dy(o_.dy), x_gradient(o_.x), w_gradient(o_.w);
    DeviceContext context;
    convolution_->backward_data(context, s_, dy.view(s_.output_shape()), w.view(s_.weight_shape()),
                                x_gradient.view(s_.input_shape()));
    convolution_->backward_weights(context, s_, x.view(s_.input_shape()),
                                   dy.view(s_.output_shape()), w_gradient.view(s_.weight_shape()));
    EXPECT_LT(error_over_rms(x_gradient.values(), dx), 1e-5);
    EXPECT_LT(error_over_rms(w_gradient.values(), dw), 1e-5);
    const std::string asked = refuses ? "f32 refused" : "f32";
    EXPECT_EQ(engines_->asked, (Asked{asked, asked}));
  }
}

TEST_F(FusedConvolution, AsksForTf32OnlyWhereItIsAllowed) {
  cuda::allow_tf32(true);
  forward(false);
  cuda::allow_tf32(false);
  forward(false);
  EXPECT_EQ(engines_->asked,
            (Asked{"f32 tf32 +scale +shift +residual +relu", "f32 +scale +shift +residual +relu"}));
}

TEST_F(FusedConvolution, RefusesMixedTypes) {
  const DeviceArray<float> x(o_.x), y(o_.dy);
  const Bf16OnDevice w(std::vector<BF16>(o_.w.size()));
  DeviceContext context;
  EXPECT_THROW(convolution_->forward(context, s_, x.view(s_.input_shape()),
                                     w.view(s_.weight_shape()), {}, y.view(s_.output_shape())),
               DTypeError);
}

TEST_F(FusedConvolution, MomentsOfSumsAreNeverNegative) {
  const DeviceArray<float> sum({3, 300}), squares({3, 29999.9F});
  const DeviceArray<float> moments(std::vector<float>(4));
  DeviceContext context;
  cuda::moments_from_sums(context, sum.view().f32(), squares.view().f32(), 3, 2,
                          moments.view({2, 2}));
  EXPECT_EQ(moments.values(), (std::vector<float>{1, 100, 0, 0}));
}

// ---- products ----

// What the last product was called with.
struct Calls {
  std::vector<std::string> order;
  int compute_type = 0;
  int math_mode = 0;
  cuda::CublasStatus status = 0;
};
Calls calls;

struct Matrix {  // a batch of column-major matrices, on the host
  std::vector<float> values;
  std::int64_t ld, stride;
  float& at(std::int64_t batch, std::int64_t row, std::int64_t column) {
    return values[static_cast<std::size_t>(batch * stride + column * ld + row)];
  }
};

Matrix download(const void* data, std::int64_t columns, std::int64_t ld, std::int64_t stride,
                std::int64_t batch, std::int64_t rows) {
  const auto size = static_cast<std::size_t>((batch - 1) * stride + (columns - 1) * ld + rows);
  Matrix matrix{std::vector<float>(size), ld, stride};
  copy(CudaRuntime::Copy::DeviceToHost, matrix.values.data(), data, size * sizeof(float));
  return matrix;
}

/// C = alpha op(A) op(B) + beta C, column-major, by its definition.
cuda::CublasStatus product(cuda::CublasHandle, int op_a, int op_b, std::int64_t m, std::int64_t n,
                           std::int64_t k, const void* alpha, const void* a, int, std::int64_t lda,
                           long long stride_a, const void* b, int, std::int64_t ldb,
                           long long stride_b, const void* beta, void* c, int, std::int64_t ldc,
                           long long stride_c, std::int64_t batch, int compute_type, int) {
  calls.order.emplace_back("product");
  calls.compute_type = compute_type;
  if (calls.status != 0) return calls.status;
  const bool ta = op_a == cuda::kCublasOpT, tb = op_b == cuda::kCublasOpT;
  Matrix A = download(a, ta ? m : k, lda, stride_a, batch, ta ? k : m);
  Matrix B = download(b, tb ? k : n, ldb, stride_b, batch, tb ? n : k);
  Matrix C = download(c, n, ldc, stride_c, batch, m);
  const float al = *static_cast<const float*>(alpha), be = *static_cast<const float*>(beta);
  for (std::int64_t z = 0; z < batch; ++z) {
    for (std::int64_t i = 0; i < m; ++i) {
      for (std::int64_t j = 0; j < n; ++j) {
        double sum = 0;
        for (std::int64_t l = 0; l < k; ++l) {
          sum += static_cast<double>(ta ? A.at(z, l, i) : A.at(z, i, l)) *
                 (tb ? B.at(z, j, l) : B.at(z, l, j));
        }
        C.at(z, i, j) = static_cast<float>(al * sum + (be != 0 ? be * C.at(z, i, j) : 0));
      }
    }
  }
  copy(CudaRuntime::Copy::HostToDevice, c, C.values.data(), C.values.size() * sizeof(float));
  return 0;
}

const cuda::CublasFunctions& pretended_cublas() {
  static const cuda::CublasFunctions table = [] {
    cuda::CublasFunctions f;
    f.create = [](cuda::CublasHandle*) { return 0; };
    f.destroy = [](cuda::CublasHandle) { return 0; };
    f.set_math_mode = [](cuda::CublasHandle, int mode) {
      calls.math_mode = mode;
      return 0;
    };
    f.set_stream = [](cuda::CublasHandle, cudaStream_t) {
      calls.order.emplace_back("stream");
      return 0;
    };
    f.set_workspace = [](cuda::CublasHandle, void* workspace, std::size_t bytes) {
      calls.order.emplace_back("workspace");
      return reinterpret_cast<std::uintptr_t>(workspace) % 256 == 0 && bytes > 0 ? 0 : 7;
    };
    f.gemm_strided_batched = product;
    f.status_name = [](cuda::CublasStatus) { return "CUBLAS_STATUS_EXECUTION_FAILED"; };
    f.status_string = [](cuda::CublasStatus) { return "the function failed"; };
    return f;
  }();
  return table;
}

class BlasProduct : public test::OnDevice {
 protected:
  void SetUp() override {
    test::OnDevice::SetUp();
    calls = {};
    if (!IsSkipped()) product_ = cuda::make_blas_product(pretended_cublas(), 0, "pretended");
  }
  std::unique_ptr<cuda::MatrixProduct> product_;
};

// Every combination of transposes, accumulation, padded rows, and batches, with an epilogue.
TEST_F(BlasProduct, MatchesTheDefinitionForEveryShapeOfTheSeam) {
  for (int bits = 0; bits < 64; ++bits) {
    SCOPED_TRACE("case " + std::to_string(bits));
    GemmShape s;
    s.m = 5, s.n = 7, s.k = 3;
    s.transpose_a = (bits & 1) != 0;
    s.transpose_b = (bits & 2) != 0;
    s.accumulate = (bits & 4) != 0;
    const std::int64_t pad = (bits & 8) != 0 ? 2 : 0;
    s.batch = (bits & 16) != 0 ? 3 : 1;
    s.lda = (s.transpose_a ? s.m : s.k) + pad;
    s.ldb = (s.transpose_b ? s.k : s.n) + pad;
    s.ldc = s.n + pad;
    s.stride_a = (s.transpose_a ? s.k : s.m) * s.lda;
    s.stride_b = (s.transpose_b ? s.n : s.k) * s.ldb;
    s.stride_c = s.m * s.ldc;
    const bool shifted = (bits & 32) != 0;
    const std::vector<float> a = test_data(s.batch * s.stride_a, 1),
                             b = test_data(s.batch * s.stride_b, 2),
                             c = test_data(s.batch * s.stride_c, 3), shift = test_data(s.n, 4);
    const DeviceArray<float> da(a), db(b), dc(c), dshift(shift);
    Epilogue epilogue;
    if (shifted) epilogue.shift = dshift.view();
    DeviceContext context;
    product_->multiply(context, s, da.view(), db.view(), epilogue, dc.view());
    const std::vector<float> got = dc.values();
    std::vector<float> results;
    std::vector<double> want;
    for (std::int64_t z = 0; z < s.batch; ++z) {
      for (std::int64_t i = 0; i < s.m; ++i) {
        for (std::int64_t j = 0; j < s.n; ++j) {
          const auto at = static_cast<std::size_t>(z * s.stride_c + i * s.ldc + j);
          double sum = s.accumulate ? c[at] : 0;
          for (std::int64_t l = 0; l < s.k; ++l) {
            const std::int64_t ia = s.transpose_a ? l * s.lda + i : i * s.lda + l;
            const std::int64_t ib = s.transpose_b ? j * s.ldb + l : l * s.ldb + j;
            sum += static_cast<double>(a[static_cast<std::size_t>(z * s.stride_a + ia)]) *
                   b[static_cast<std::size_t>(z * s.stride_b + ib)];
          }
          want.push_back(sum + (shifted ? shift[static_cast<std::size_t>(j)] : 0));
          results.push_back(got[at]);
        }
        for (std::int64_t j = s.n; j < s.ldc; ++j) {  // between rows: untouched
          const auto at = static_cast<std::size_t>(z * s.stride_c + i * s.ldc + j);
          EXPECT_EQ(got[at], c[at]);
        }
      }
    }
    EXPECT_LT(error_over_rms(results, want), 1e-5);
  }
}

TEST_F(BlasProduct, SetsTheStreamThenItsWorkspaceAndTf32OnlyWhereAllowed) {
  const DeviceArray<float> a({1, 2}), b({3, 4}), c({0});
  GemmShape s;
  s.m = s.n = s.ldb = s.ldc = 1;
  s.k = s.lda = 2;
  DeviceContext context;
  product_->multiply(context, s, a.view(), b.view(), {}, c.view());
  EXPECT_EQ(calls.order, (std::vector<std::string>{"stream", "workspace", "product"}));
  EXPECT_EQ(calls.compute_type, cuda::kCublasCompute32F);
  EXPECT_EQ(calls.math_mode, cuda::kCublasNoReducedPrecisionReduction);
  EXPECT_EQ(c.values(), (std::vector<float>{11}));
  cuda::allow_tf32(true);
  product_->multiply(context, s, a.view(), b.view(), {}, c.view());
  cuda::allow_tf32(false);
  EXPECT_EQ(calls.compute_type, cuda::kCublasCompute32FFastTF32);
}

TEST_F(BlasProduct, DoesNothingForNoElements) {
  const DeviceArray<float> one({1});
  GemmShape s;
  s.k = 1;
  DeviceContext context;
  product_->multiply(context, s, one.view(), one.view(), {}, one.view());
  EXPECT_TRUE(calls.order.empty());
}

TEST_F(BlasProduct, NamesTheFunctionThatFailed) {
  const DeviceArray<float> one({1});
  GemmShape s;
  s.m = s.n = s.k = s.lda = s.ldb = s.ldc = 1;
  calls.status = 13;
  DeviceContext context;
  try {
    product_->multiply(context, s, one.view(), one.view(), {}, one.view());
    FAIL() << "no error";
  } catch (const DeviceError& error) {
    EXPECT_STREQ(
        error.what(),
        "cublasGemmStridedBatchedEx: CUBLAS_STATUS_EXECUTION_FAILED (the function failed)");
  }
}

}  // namespace
}  // namespace hanok
