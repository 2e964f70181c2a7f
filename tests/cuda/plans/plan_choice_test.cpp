// The cuDNN plan chosen for a convolution: by cuDNN's heuristics, by measuring, from a folder, or
// for the nominal batch. The stand-in's cuDNN has two engines, standin0 and standin1 (it draws
// random numbers as times), and prefers the second for one and two images.
#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <memory>
#include <set>

#include "hanok/engine/runtime.h"
#include "hanok/engine/tensor.h"
#include "hanok/kernels/cuda/libraries/cudnn_convolution.h"
#include "hanok/kernels/cuda_runtime.h"
#include "tests/cuda/standin/control.h"
#include "tests/kernels/kernel_context.h"

namespace hanok::cuda {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

const Device kDevice = Device::cuda(0);

class PlanChoice : public ::testing::Test {
 protected:
  void SetUp() override {
    base_ = ::testing::TempDir() + "/plan-choice-" +
            ::testing::UnitTest::GetInstance()->current_test_info()->name();
    fs::remove_all(base_);
    seen_ = cuda_runtime()->plan_records().size();
  }
  void TearDown() override {
    cuda_runtime()->set_plan_options({});
    standin::set_settings(standin::Settings());
    fs::remove_all(base_);
  }

  /// Simulates the start of a program.
  void start(bool autotune, const std::string& own, const std::string& shared,
             std::uint64_t seed = 0) {
    standin::Settings settings;
    settings.seed = seed;
    standin::set_settings(settings);
    const auto path = [this](const std::string& folder) {
      return folder.empty() ? "" : base_ + "/" + folder;
    };
    cuda_runtime()->set_plan_options({autotune, path(own), path(shared)});
    std::string missing;
    convolution_ = make_cudnn_convolution(0, &missing);
    ASSERT_NE(convolution_, nullptr) << missing;
  }

  static Conv2dShape shape(std::int64_t images, std::int64_t nominal = 0) {
    Conv2dShape s;
    s.n = images;
    s.c = s.k = 8;
    s.h = s.w = 6;
    s.r = s.s = 3;
    s.window.pad_h = s.window.pad_w = 1;
    s.nominal_n = nominal;
    return s;
  }
  /// `images` images: always the same for a given number, or the first ones of a larger batch.
  std::vector<float> run(const Conv2dShape& s) {
    const auto tensor = [](const Shape& sizes, std::uint64_t seed) {
      return Tensor::from_vector(test::test_data(sizes.numel(), seed), sizes).to(kDevice);
    };
    const Tensor x = tensor(s.input_shape(), 1);
    const Tensor w = tensor(s.weight_shape(), 2);
    Tensor y = Tensor::empty(s.output_shape(), {DType::F32, kDevice});
    convolution_->forward(context_of(kDevice), s, x.view(), w.view(), Epilogue(), y.mutable_view());
    return y.to_vector();
  }
  /// The texts recorded since the last call, concatenated.
  std::string news() {
    std::string all;
    const std::vector<std::string> records = cuda_runtime()->plan_records();
    for (; seen_ < records.size(); ++seen_) all += records[seen_] + "\n";
    return all;
  }
  std::size_t files(const std::string& folder) const {
    const fs::path path = base_ + "/" + folder;
    if (!fs::exists(path)) return 0;
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(path), fs::directory_iterator()));
  }
  /// A seed with which measuring chooses that engine.
  std::uint64_t seed_choosing(const std::string& engine) {
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
      start(/*autotune=*/true, "", "", seed);
      run(shape(4));
      if (news().find(engine) != std::string::npos) return seed;
    }
    ADD_FAILURE() << "no seed selects " << engine;
    return 0;
  }

  std::string base_;
  std::unique_ptr<Convolution> convolution_;
  std::size_t seen_ = 0;
};

TEST_F(PlanChoice, IsMadeOnceAndFoundAgainByALaterProgram) {
  start(/*autotune=*/false, "own", "shared");
  const std::vector<float> y = run(shape(4));
  EXPECT_THAT(news(), AllOf(HasSubstr("forward n4 c8 h6 w6 k8 r3 s3"), HasSubstr("standin0"),
                            HasSubstr("scratch 0 bytes"), HasSubstr("chosen by cuDNN")));
  run(shape(4));
  EXPECT_EQ(news(), "");
  EXPECT_EQ(files("own"), 1U);
  EXPECT_EQ(files("shared"), 1U);
  start(/*autotune=*/false, "later", "shared");
  EXPECT_EQ(run(shape(4)), y);
  EXPECT_THAT(news(), AllOf(HasSubstr("standin0"), HasSubstr("from " + base_ + "/shared")));
  EXPECT_EQ(files("later"), 1U);
}

TEST_F(PlanChoice, MeasuredIsTheFastestAndTheRunsFolderKeepsIt) {
  const std::uint64_t first = seed_choosing("standin0");
  const std::uint64_t second = seed_choosing("standin1");
  start(/*autotune=*/true, "run", "", second);
  const std::vector<float> y = run(shape(4));
  EXPECT_THAT(news(), AllOf(HasSubstr("standin1"), HasSubstr("fastest of 2: ")));
  start(/*autotune=*/true, "run", "", first);  // resumed, where measuring would choose another
  EXPECT_EQ(run(shape(4)), y);
  EXPECT_THAT(news(), AllOf(HasSubstr("standin1"), HasSubstr("from " + base_ + "/run")));
  start(/*autotune=*/true, "other run", "", first);
  EXPECT_NE(run(shape(4)), y);  // the two engines round differently
  news();
  start(/*autotune=*/false, "run", "", first);  // a run's own folder takes precedence
  EXPECT_EQ(run(shape(4)), y);
}

TEST_F(PlanChoice, WhatOthersMeasuredIsTakenOnlyByWhoAsksForMeasuring) {
  const std::uint64_t second = seed_choosing("standin1");
  start(/*autotune=*/true, "run 1", "shared", second);
  run(shape(4));
  news();
  start(/*autotune=*/false, "run 2", "shared");
  run(shape(4));
  EXPECT_THAT(news(), AllOf(HasSubstr("standin0"), HasSubstr("chosen by cuDNN")));
  start(/*autotune=*/true, "run 3", "shared");
  run(shape(4));
  EXPECT_THAT(news(), AllOf(HasSubstr("standin1"), HasSubstr("from " + base_ + "/shared")));
  start(/*autotune=*/false, "run 4", "shared");  // the folder has both choices
  run(shape(4));
  EXPECT_THAT(news(), AllOf(HasSubstr("standin0"), HasSubstr("from " + base_ + "/shared")));
  EXPECT_EQ(files("shared"), 2U);
}

TEST_F(PlanChoice, AShortLastBatchIsComputedAsTheOthersAre) {
  start(/*autotune=*/false, "", "");
  const std::vector<float> whole = run(shape(4));
  EXPECT_THAT(news(), HasSubstr("standin0"));
  const std::vector<float> rest = run(shape(2, 4));
  EXPECT_THAT(news(), AllOf(HasSubstr("n2 as n4"), HasSubstr("standin0"),
                            HasSubstr("as for the nominal batch")));
  EXPECT_EQ(rest, std::vector<float>(whole.begin(),
                                     whole.begin() + static_cast<std::ptrdiff_t>(rest.size())));
  run(shape(2));  // alone it would use the other
  EXPECT_THAT(news(), AllOf(HasSubstr("standin1"), Not(HasSubstr(" as n"))));
  start(/*autotune=*/false, "", "");
  run(shape(2, 4));  // also if it comes first, as in a resumed run
  EXPECT_THAT(news(), AllOf(HasSubstr("n2 as n4"), HasSubstr("standin0"), Not(HasSubstr("1_"))));
}

TEST_F(PlanChoice, AShortBatchFollowsWhatWasMeasured) {
  start(/*autotune=*/true, "run", "", seed_choosing("standin1"));
  run(shape(4));
  news();
  run(shape(3, 4));
  EXPECT_THAT(news(), AllOf(HasSubstr("n3 as n4"), HasSubstr("standin1"),
                            HasSubstr("as for the nominal batch")));
  EXPECT_EQ(files("run"), 2U);
  // Without other batches it is measured itself.
  start(/*autotune=*/true, "", "");
  run(shape(3, 4));
  EXPECT_THAT(news(), HasSubstr("fastest of 2: "));
}

TEST_F(PlanChoice, AGuessHoldsUntilMeasuringIsPossible) {
  start(/*autotune=*/true, "run", "");
  EXPECT_THAT(convolution_->algorithm(Conv2dPass::Forward, shape(4)), HasSubstr("standin0"));
  EXPECT_THAT(news(), HasSubstr("chosen by cuDNN, for now"));
  EXPECT_EQ(files("run"), 0U);
  run(shape(4));
  EXPECT_THAT(news(), HasSubstr("fastest of 2: "));
  EXPECT_EQ(files("run"), 1U);
}

TEST_F(PlanChoice, NothingIsMeasuredInACapturedStep) {
  start(/*autotune=*/true, "run", "");
  const Conv2dShape s = shape(4);
  Tensor x = Tensor::full(s.input_shape(), 1, {DType::F32, kDevice});
  Tensor w = Tensor::full(s.weight_shape(), 1, {DType::F32, kDevice});
  Tensor y = Tensor::empty(s.output_shape(), {DType::F32, kDevice});
  cuda_runtime()->begin_capture(0);
  convolution_->forward(context_of(kDevice), s, x.view(), w.view(), Epilogue(), y.mutable_view());
  const std::unique_ptr<CudaGraph> graph = cuda_runtime()->end_capture(0);
  graph->replay();
  EXPECT_EQ(y.to_vector()[0], 8 * 4);  // a corner
  EXPECT_THAT(news(), HasSubstr("for now"));
  EXPECT_EQ(files("run"), 0U);
}

TEST_F(PlanChoice, FoldersThatAreBrokenAreTold) {
  start(/*autotune=*/false, "run", "");
  run(shape(4));
  news();
  for (const auto& entry : fs::directory_iterator(base_ + "/run")) {
    std::ofstream(entry.path()) << "{";
  }
  start(/*autotune=*/false, "run", "");
  run(shape(4));
  EXPECT_THAT(news(), AllOf(HasSubstr("a stored plan is not used: "), HasSubstr("standin0"),
                            HasSubstr("a plan is not stored: ")));
  std::ofstream(base_ + "/file") << "no folder";
  start(/*autotune=*/false, "file/run", "");
  run(shape(4));
  EXPECT_THAT(news(), AllOf(HasSubstr("chosen by cuDNN"), HasSubstr("a plan is not stored: ")));
}

}  // namespace
}  // namespace hanok::cuda
