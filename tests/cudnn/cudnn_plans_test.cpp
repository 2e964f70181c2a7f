// cuDNN's plans for every convolution of ResNet18, built for a GPU that is not present: cuDNN
// itself runs here, and the device is given by a description.
#include <fstream>
#include <gtest/gtest.h>
#include <sstream>

#include "hanok/kernels/cuda/libraries/cudnn_graph.h"
#include "tests/support/paths.h"

namespace hanok::cuda {
namespace {

constexpr std::size_t kWorkspaceLimit = std::size_t{1} << 30;

Conv2dShape layer(std::int64_t c, std::int64_t size, std::int64_t k, std::int64_t taps,
                  std::int64_t stride) {
  const std::int64_t pad = taps / 2;
  return {.n = 32,
          .c = c,
          .h = size,
          .w = size,
          .k = k,
          .r = taps,
          .s = taps,
          .groups = 1,
          .window = {stride, stride, pad, pad, 1, 1},
          .nominal_n = 0};
}

// Every different convolution of ResNet18 at 224 x 224.
const std::vector<Conv2dShape>& resnet18() {
  static const std::vector<Conv2dShape> layers = {
      layer(3, 224, 64, 7, 2),   layer(64, 56, 64, 3, 1),   layer(64, 56, 128, 3, 2),
      layer(64, 56, 128, 1, 2),  layer(128, 28, 128, 3, 1), layer(128, 28, 256, 3, 2),
      layer(128, 28, 256, 1, 2), layer(256, 14, 256, 3, 1), layer(256, 14, 512, 3, 2),
      layer(256, 14, 512, 1, 2), layer(512, 7, 512, 3, 1)};
  return layers;
}

class CudnnPlans : public testing::Test {
 protected:
  void SetUp() override {
    std::string missing;
    if (!open_cudnn(&missing)) GTEST_SKIP() << missing;
    std::ifstream in(test::source_dir() + "/../shared/data/cudnn/h100-device-properties.json");
    if (!in) GTEST_SKIP() << "no description of an H100 in ../shared/data/cudnn";
    std::ostringstream text;
    text << in.rdbuf();
    h100_ = text.str();
  }

  // The plan's engine, or "" and the reason if cuDNN rejects the graph.
  std::string engine(const ConvolutionProblem& problem, std::string* reason = nullptr) const {
    try {
      const auto plans = build_plans_for(problem, h100_, 1, kWorkspaceLimit);
      EXPECT_EQ(plans.size(), 1U);
      EXPECT_LE(plans.front()->workspace_bytes(), kWorkspaceLimit);
      EXPECT_FALSE(plans.front()->serialize().empty());
      return plans.front()->engine();
    } catch (const CudnnRefusal& refusal) {
      if (reason != nullptr) *reason = refusal.what();
      return "";
    }
  }

  std::string h100_;
};

ConvolutionProblem problem_of(const Conv2dShape& shape, DType dtype,
                              Conv2dPass pass = Conv2dPass::Forward) {
  ConvolutionProblem problem;
  problem.pass = pass;
  problem.shape = shape;
  problem.dtype = dtype;
  return problem;
}

TEST_F(CudnnPlans, AreThereForEveryPassLayerAndTypeOfResNet18) {
  for (const Conv2dShape& shape : resnet18()) {
    for (const DType dtype : {DType::F32, DType::BF16, DType::F16}) {
      for (const bool tf32 : {false, true}) {
        if (tf32 && dtype != DType::F32) continue;
        for (const Conv2dPass pass :
             {Conv2dPass::Forward, Conv2dPass::BackwardData, Conv2dPass::BackwardWeights}) {
          ConvolutionProblem problem = problem_of(shape, dtype, pass);
          problem.tf32 = tf32;
          std::string reason;
          EXPECT_NE(engine(problem, &reason), "") << reason;
        }
      }
    }
  }
}

TEST_F(CudnnPlans, FuseShiftAndReluInF32) {
  for (const Conv2dShape& shape : resnet18()) {
    for (const bool tf32 : {false, true}) {
      ConvolutionProblem problem = problem_of(shape, DType::F32);
      problem.tf32 = tf32;
      problem.shift = problem.relu = true;
      std::string reason;
      EXPECT_NE(engine(problem, &reason), "") << reason;
    }
  }
}

TEST_F(CudnnPlans, FuseTheSumsOfBatchNormInF16) {
  for (const Conv2dShape& shape : resnet18()) {
    ConvolutionProblem problem = problem_of(shape, DType::F16);
    problem.statistics = true;
    std::string reason;
    const std::string found = engine(problem, &reason);
    if (shape.c == 3) {  // rows of 3 halves break the 16-byte alignment that the engine requires
      EXPECT_EQ(found, "") << problem.text();
    } else {
      EXPECT_NE(found, "") << reason;
    }
  }
}

// What cuDNN does not support, by name: each of these falls back to separate kernels
// (fused_convolution.cpp). This test fails when a version of cuDNN supports one of them; then use
// it.
TEST_F(CudnnPlans, RefusesTheSumsOfBatchNormInBf16AndF32OnSm90) {
  for (const Conv2dShape& shape : resnet18()) {
    for (const DType dtype : {DType::BF16, DType::F32}) {
      ConvolutionProblem problem = problem_of(shape, dtype);
      problem.statistics = true;
      std::string reason;
      EXPECT_EQ(engine(problem, &reason), "") << problem.text();
      EXPECT_NE(reason.find(problem.text()), std::string::npos) << reason;
    }
  }
}

// Fused pointwise operations in 16 bits are compiled by cuDNN at run time with the driver's help:
// they exist only on a machine with a GPU.
TEST_F(CudnnPlans, RefusesKernelsCompiledAtRunTimeWithoutADriver) {
  for (const Conv2dShape& shape : resnet18()) {
    for (const DType dtype : {DType::BF16, DType::F16}) {
      ConvolutionProblem problem = problem_of(shape, dtype);
      problem.shift = problem.relu = true;
      EXPECT_EQ(engine(problem), "") << problem.text();
      problem.scale = problem.residual = true;
      EXPECT_EQ(engine(problem), "") << problem.text();
    }
  }
}

TEST_F(CudnnPlans, AreDifferentOnesForAutotuning) {
  const auto plans =
      build_plans_for(problem_of(resnet18()[1], DType::BF16), h100_, 4, kWorkspaceLimit);
  ASSERT_GE(plans.size(), 2U);
  EXPECT_NE(plans[0]->engine(), plans[1]->engine());
}

TEST_F(CudnnPlans, KeepToTheScratchThatIsAllowed) {
  const ConvolutionProblem problem =
      problem_of(resnet18()[0], DType::F32, Conv2dPass::BackwardData);
  const auto plans = build_plans_for(problem, h100_, 8, 0);
  for (const auto& plan : plans) EXPECT_EQ(plan->workspace_bytes(), 0U);
}

TEST_F(CudnnPlans, ServeGroupsAndDilation) {
  Conv2dShape depthwise = layer(64, 28, 64, 3, 1);
  depthwise.groups = 64;
  Conv2dShape dilated = layer(64, 28, 64, 3, 1);
  dilated.window.dilation_h = dilated.window.dilation_w = 2;
  dilated.window.pad_h = dilated.window.pad_w = 2;
  std::string reason;
  for (const Conv2dShape& shape : {depthwise, dilated}) {
    EXPECT_NE(engine(problem_of(shape, DType::BF16), &reason), "") << reason;
  }
}

TEST_F(CudnnPlans, RefuseADeviceDescribedInNonsense) {
  EXPECT_THROW(
      build_plans_for(problem_of(resnet18()[1], DType::F32), "{\"warpSize\":", 1, kWorkspaceLimit),
      CudnnRefusal);
}

TEST(ConvolutionProblem, TextTellsProblemsApart) {
  ConvolutionProblem problem = problem_of(resnet18()[1], DType::BF16);
  EXPECT_EQ(problem.text(),
            "forward n32 c64 h56 w56 k64 r3 s3 groups1 stride1x1 pad1x1 dilation1x1 bf16");
  problem.shift = problem.relu = true;
  EXPECT_EQ(problem.text(),
            "forward n32 c64 h56 w56 k64 r3 s3 groups1 stride1x1 pad1x1 dilation1x1 bf16 +shift "
            "+relu");
  problem = problem_of(resnet18()[1], DType::F32, Conv2dPass::BackwardWeights);
  problem.tf32 = true;
  EXPECT_EQ(problem.text(),
            "backward_weights n32 c64 h56 w56 k64 r3 s3 groups1 stride1x1 pad1x1 dilation1x1 f32 "
            "tf32");
}

}  // namespace
}  // namespace hanok::cuda
