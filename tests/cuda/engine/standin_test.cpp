// The engine on a device that runs out of memory, fails, or records a step: situations that tests
// can create only on the stand-in.
#include <cuda_runtime.h>
#include <functional>
#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <vector>

#include "hanok/engine/allocator.h"
#include "hanok/engine/device_copy.h"
#include "hanok/engine/ops.h"
#include "hanok/engine/recording.h"
#include "hanok/engine/runtime.h"
#include "hanok/engine/tensor.h"
#include "hanok/kernels/base/error.h"
#include "hanok/kernels/cuda_runtime.h"
#include "tests/cuda/standin/control.h"

namespace hanok::testing {
namespace {

const Device kDevice = Device::cuda(0);
constexpr std::size_t kMebibyte = std::size_t{1} << 20;
constexpr std::int64_t kFloatsOfMebibyte = kMebibyte / sizeof(float);

Tensor on_device(const std::vector<float>& values) {
  return Tensor::from_vector(values, {static_cast<std::int64_t>(values.size())}).to(kDevice);
}
Tensor mebibytes(std::int64_t count) {
  return Tensor::empty({count * kFloatsOfMebibyte}, {DType::F32, kDevice});
}

class OnStandin : public ::testing::Test {
 protected:
  void SetUp() override {
    backend_of(kDevice);  // the device is opened with enough memory, and filled later
    allocator_of(kDevice).release_cached();
  }
  void TearDown() override {
    standin::set_settings(standin::Settings());
    EXPECT_EQ(standin::damaged_guards(), "");
  }
  /// Simulates another machine; memory in use counts against its size.
  static void leave_memory(std::size_t bytes) {
    standin::Settings settings;
    settings.memory = standin::bytes_in_use() + bytes;
    standin::set_settings(settings);
  }
};

TEST_F(OnStandin, ATensorForWhichThereIsNoMemoryLeavesTheDeviceUsable) {
  const Tensor x = on_device({1, -2, 3});
  leave_memory(64 * kMebibyte);
  Allocator& allocator = allocator_of(kDevice);
  const MemoryStatistics before = allocator.statistics();
  ASSERT_GT(before.budget, 128 * kMebibyte);  // the device fails the request, not the budget
  EXPECT_THROW(mebibytes(100), OutOfMemory);
  EXPECT_EQ(allocator.statistics().in_use, before.in_use);
  EXPECT_EQ((x + x).to_vector(), (std::vector<float>{2, -4, 6}));
  EXPECT_NO_THROW(mebibytes(60));
}

TEST_F(OnStandin, CachedMemoryMakesRoomOnAFullDevice) {
  const Tensor x = on_device({1, -2, 3});
  leave_memory(64 * kMebibyte);
  Tensor y;
  {
    Tensor large = mebibytes(40);
    backend_of(kDevice).run(context_of(kDevice), Fill{large.mutable_view(), 5});  // still under way
    y = ops::relu(x);
  }
  EXPECT_GE(allocator_of(kDevice).statistics().cached, 40 * kMebibyte);
  const Tensor other = mebibytes(50);
  EXPECT_LE(standin::bytes_in_use(), standin::settings().memory);
  EXPECT_EQ(y.to_vector(), (std::vector<float>{1, 0, 3}));
}

TEST_F(OnStandin, AFailedLaunchIsReportedOnceWaitedForAndTensorsDieInPeace) {
  const std::size_t in_use = allocator_of(kDevice).statistics().in_use;
  {
    const Tensor x = on_device({1, -2, 3});
    standin::Settings settings;
    settings.fail_launch = 1;
    standin::set_settings(settings);
    EXPECT_THROW(
        {
          const Tensor y = ops::relu(x);
          synchronize(kDevice);
        },
        DeviceError);
    EXPECT_THROW(ops::relu(x), DeviceError);
    allocator_of(kDevice).release_cached();
  }
  EXPECT_EQ(allocator_of(kDevice).statistics().in_use, in_use);
}

TEST_F(OnStandin, ARecordedStepReplaysOnNewValuesWhateverMemoryDoesMeanwhile) {
  Tensor x = on_device({1, -2, 3});
  MemoryPool pool(allocator_of(kDevice));
  const std::unique_ptr<Workspace> workspace = make_workspace(kDevice);
  ops::relu(x);  // allocates what is allocated at first use
  Tensor y;
  std::unique_ptr<CudaGraph> graph;
  {
    const MemoryPool::Scope in_pool(pool);
    const OwnWorkspace own(kDevice, *workspace);
    cuda_runtime()->begin_capture(0);
    y = ops::sum(ops::relu(x) + x, {0});
    graph = cuda_runtime()->end_capture(0);
  }
  for (const float first : {5.0F, -7.0F}) {
    x.copy_from(on_device({first, 1, -1}));
    // Takes every free block outside the pool, including those of the step's size.
    std::vector<Tensor> others;
    for (int i = 0; i < 8; ++i) others.push_back(on_device({100, 100, 100}));
    graph->replay();
    EXPECT_EQ(y.to_vector(), std::vector<float>{first > 0 ? 2 * first + 1 : first + 1});
    for (const Tensor& other : others) {
      EXPECT_EQ(other.to_vector(), (std::vector<float>{100, 100, 100}));
    }
  }
}

TEST_F(OnStandin, ACopyFromOrdinaryMemoryIsOverWhenItReturns) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    standin::Settings settings;
    settings.seed = seed;
    standin::set_settings(settings);
    std::vector<float> host(1000, 1);
    Tensor x = on_device(std::vector<float>(1000, 0));
    copy_bytes(kDevice, x.mutable_view().data, Device::cpu(), host.data(), x.bytes());
    host.assign(host.size(), 2);
    EXPECT_EQ(x.to_vector(), std::vector<float>(1000, 1));
  }
}

TEST_F(OnStandin, CopiesOfOrdinaryMemoryCannotBeCaptured) {
  Tensor x = on_device({1, -2, 3});
  const Tensor host = Tensor::from_vector(std::vector<float>{4, 5, 6}, {3});
  for (const auto& copy :
       std::vector<std::function<void()>>{[&] { x.copy_from(host); }, [&] { x.to_vector(); }}) {
    try {
      const Recording recording(kDevice, copy);
      FAIL() << "it was recorded";
    } catch (const DeviceError& error) {
      EXPECT_NE(std::string(error.what()).find("ordinary host memory cannot be captured"),
                std::string::npos)
          << error.what();
    }
    EXPECT_EQ(x.to_vector(), (std::vector<float>{1, -2, 3}));
  }
}

TEST_F(OnStandin, ARefusedCallIsNotToldAgain) {
  standin::Settings settings;
  settings.graphs = false;
  standin::set_settings(settings);
  EXPECT_THROW(cuda_runtime()->begin_capture(0), DeviceError);
  EXPECT_EQ(cudaPeekAtLastError(), cudaSuccess) << "the next launch would be blamed for it";
}

TEST_F(OnStandin, AStepThatWaitsCannotBeRecorded) {
  const Tensor x = on_device({1, -2, 3});
  ops::relu(x);
  cuda_runtime()->begin_capture(0);
  ops::relu(x);
  EXPECT_THROW(synchronize(kDevice), DeviceError);
  EXPECT_THROW(cuda_runtime()->end_capture(0), DeviceError);
  EXPECT_EQ(ops::relu(x).to_vector(), (std::vector<float>{1, 0, 3}));
}

}  // namespace
}  // namespace hanok::testing
