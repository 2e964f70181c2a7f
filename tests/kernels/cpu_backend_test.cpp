// The backend as a whole: choice of path, refused types, flushed denormals.
#include <algorithm>
#include <cstdlib>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <limits>
#include <string>
#include <vector>

#include "hanok/kernels/base/error.h"
#include "tests/kernels/backend_runs.h"

namespace hanok {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

/// Sets HANOK_ISA for its lifetime.
class IsaVariable {
 public:
  explicit IsaVariable(const char* value) {
    const char* before = std::getenv("HANOK_ISA");
    had_value_ = before != nullptr;
    before_ = had_value_ ? before : "";
    setenv("HANOK_ISA", value, 1);
  }
  ~IsaVariable() { had_value_ ? setenv("HANOK_ISA", before_.c_str(), 1) : unsetenv("HANOK_ISA"); }
  IsaVariable(const IsaVariable&) = delete;
  IsaVariable& operator=(const IsaVariable&) = delete;

 private:
  bool had_value_ = false;
  std::string before_;
};

TEST(ChooseIsa, FollowsTheEnvironment) {
  {
    const IsaVariable variable("portable");
    EXPECT_EQ(cpu::choose_isa(), cpu::Isa::Portable);
  }
  {
    const IsaVariable variable("");
    // Avx512 is no faster on every CPU that has it: it is chosen by name alone.
    const std::vector<cpu::Isa> isas = cpu::isas_of_this_cpu();
    EXPECT_EQ(cpu::choose_isa(), isas.size() > 1 ? cpu::Isa::Avx2 : cpu::Isa::Portable);
  }
  const IsaVariable variable("sse9");
  EXPECT_THAT([] { cpu::choose_isa(); },
              ThrowsMessage<ValueError>(HasSubstr("'sse9' (expected portable, avx2 or avx512)")));
}

// All other tests of kernels take the paths that there are, without a word about the others.
TEST(ChooseIsa, EveryPathIsTestedOnThisCpu) {
  std::string missing;
  const std::vector<cpu::Isa> isas = cpu::isas_of_this_cpu();
  for (const cpu::Isa isa : {cpu::Isa::Avx2, cpu::Isa::Avx512}) {
    const bool here = std::find(isas.begin(), isas.end(), isa) != isas.end();
    if (!here) missing += std::string(" ") + cpu::name_of(isa);
  }
  if (!cpu::has_vnni()) missing += " VNNI";
  if (!missing.empty()) GTEST_SKIP() << "compiled, but not run on this CPU:" << missing;
  EXPECT_EQ(isas.size(), 3U);
}

TEST(CpuBackend, NamesItsPathAndDevice) {
  EXPECT_STREQ(cpu::make_backend(cpu::Isa::Portable)->name(), "portable");
  EXPECT_STREQ(cpu::make_backend(cpu::Isa::Avx2)->name(), "avx2");
  EXPECT_STREQ(cpu::make_backend(cpu::Isa::Avx512)->name(), "avx512");
  EXPECT_EQ(cpu::make_backend(cpu::Isa::Portable)->device(), Device::cpu());
}

class CpuBackendErrors : public ::testing::Test {
 protected:
  template <typename Call>
  void expect_refused(const char* op, const Call& call) {
    EXPECT_THAT(call, ThrowsMessage<DTypeError>(HasSubstr(op)));
  }
  test::KernelContext context_;
  std::unique_ptr<Backend> backend_ = cpu::make_backend(cpu::Isa::Portable);
  std::vector<double> data_ = std::vector<double>(16);
  View f64_{data_.data(), DType::F64, Shape{4}};
  View f32_{data_.data(), DType::F32, Shape{4}};
};

TEST_F(CpuBackendErrors, NameOpAndType) {
  EXPECT_THAT(
      [&] {
        backend_->run(context_, Unary{UnaryOp::Exp, {}, f64_, f32_});
      },
      ThrowsMessage<DTypeError>("unary: the CPU computes this in f32, not in f64"));
  const StridedView strided_f64{data_.data(), DType::F64, Shape{4}, Strides{1}};
  const StridedView strided_f32{data_.data(), DType::F32, Shape{4}, Strides{1}};
  expect_refused("unary_backward", [&] {
    backend_->run(context_, UnaryBackward{UnaryOp::Exp, {}, {}, f32_, f64_, f32_});
  });
  expect_refused("binary", [&] {
    backend_->run(context_, Binary{BinaryOp::Add, strided_f32, strided_f64, f32_});
  });
  expect_refused("add_scaled", [&] { backend_->run(context_, AddScaled{1, f64_, f32_}); });
  expect_refused("reduce", [&] {
    backend_->run(context_, Reduce{ReduceOp::Sum, strided_f64, 1, f32_});
  });
  expect_refused("strided_copy", [&] {
    backend_->run(context_, StridedCopy{strided_f32, strided_f64});
  });
  expect_refused("max_along", [&] {
    backend_->run(context_, MaxAlong{f32_, {1, 4, 1}, f32_, f32_});
  });
  expect_refused("scatter_along", [&] {
    backend_->run(context_, ScatterAlong{f32_, f32_, {1, 4, 1}, f32_});
  });
  expect_refused("l2_norm", [&] { backend_->run(context_, L2Norm{{f32_, f64_}, f32_}); });
  expect_refused("normalize_u8", [&] {
    backend_->run(context_, NormalizeU8{f32_, f32_, f32_, f32_});
  });
  expect_refused("random_uniform", [&] {
    backend_->run(context_, RandomUniform{{{}, f32_, 0}, 0, 1, f32_});
  });
  expect_refused("dropout", [&] {
    const std::int64_t position[2] = {};
    backend_->run(context_, Dropout{{{}, {position, DType::I64, Shape{2}}, 0}, 0.5F, f64_, f32_});
  });
  expect_refused("batch_norm_statistics", [&] {
    backend_->run(context_, BatchNormStatistics{f64_, 2, 2, f32_});
  });
  expect_refused("softmax", [&] { backend_->run(context_, Softmax{true, f64_, {1, 4, 1}, f32_}); });
  expect_refused("cross_entropy", [&] {
    CrossEntropyLoss op;
    op.logits = {data_.data(), DType::F32, Shape{2, 2}};
    op.targets = {data_.data(), DType::U8, Shape{2}};
    backend_->run(context_, CrossEntropy{op, f32_, f32_});
  });
  Epilogue of_f64;
  of_f64.shift = f64_;
  expect_refused("gemm", [&] { backend_->run(context_, Gemm{{}, f64_, f32_, {}, f32_}); });
  expect_refused("gemm", [&] { backend_->run(context_, Gemm{{}, f32_, f32_, of_f64, f32_}); });
  expect_refused("conv2d_pack", [&] {
    backend_->run(context_, Conv2dPack{Conv2dPass::Forward, {}, f64_, data_.data()});
  });
  expect_refused("conv2d_forward", [&] {
    backend_->run(context_, Conv2dForward{{}, f32_, f64_, nullptr, {}, f32_});
  });
  expect_refused("conv2d_forward", [&] {
    backend_->run(context_, Conv2dForward{{}, f32_, f32_, nullptr, of_f64, f32_});
  });
  expect_refused("conv2d_backward_data", [&] {
    backend_->run(context_, Conv2dBackwardData{{}, f32_, f64_, nullptr, f32_});
  });
  expect_refused("conv2d_backward_weights", [&] {
    backend_->run(context_, Conv2dBackwardWeights{{}, f32_, f64_, f32_});
  });
  expect_refused("inverted_residual", [&] {
    InvertedResidual call;
    call.project.epilogue = of_f64;
    backend_->run(context_, call);
  });
  expect_refused("sum_rows", [&] { backend_->run(context_, SumRows{f64_, 2, 2, f32_}); });
  expect_refused("max_pool2d", [&] { backend_->run(context_, MaxPool2d{{}, f32_, f32_, f32_}); });
  expect_refused("avg_pool2d", [&] { backend_->run(context_, AvgPool2d{{}, f64_, f32_}); });
  expect_refused("adaptive_avg_pool2d", [&] {
    backend_->run(context_, AdaptiveAvgPool2d{f64_, f32_});
  });
  expect_refused("sgd_step", [&] {
    SgdStep step;
    step.learning_rate = f32_;
    step.step = f32_;
    backend_->run(context_, step);
  });
  expect_refused("adam_step", [&] {
    AdamStep step;
    step.learning_rate = f32_;
    step.step = {data_.data(), DType::I64, Shape{1}};
    step.slots = {{f32_, f64_, f32_, f32_}};
    backend_->run(context_, step);
  });
}

TEST(CpuBackend, FlushesDenormalsWithinCallsOnly) {
  const std::vector<float> x(40000, std::numeric_limits<float>::min());
  test::on_every_path(
      [&](Backend& backend, ExecContext& context) {
        std::vector<float> y(x.size());
        backend.run(
            context,
            Unary{
                UnaryOp::Affine, {0.5F, 0}, test::view_of(x, {40000}), test::view_of(y, {40000})});
        return y;
      },
      [](const std::vector<float>& y) { EXPECT_EQ(y, std::vector<float>(40000, 0.0F)); });
  volatile float smallest = std::numeric_limits<float>::min();
  EXPECT_GT(smallest * 0.5F, 0.0F);
}

}  // namespace
}  // namespace hanok
