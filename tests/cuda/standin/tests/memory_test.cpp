// Memory of the stand-in: each kind of invalid use is planted and must be detected; the valid use
// must not be.
#include <gmock/gmock.h>
#include <hanok_emulator.h>

#include "tests/cuda/standin/tests/fixture.h"

namespace hanok::standin::testing {
namespace {

using ::testing::HasSubstr;

class StandinMemory : public Standin {};
using StandinMemoryDeathTest = StandinMemory;

// NOLINTNEXTLINE(readability-non-const-parameter): a read is what is asked for
float read(volatile float* address) { return *address; }
void overwrite(volatile float* address) { *address = 1; }

TEST_F(StandinMemory, IsNotANumberUntilItIsWritten) {
  constexpr std::size_t kCount = 100'000;
  const DeviceFloats x(kCount);
  for (const std::size_t index : {std::size_t{0}, std::size_t{1023}, kCount - 1}) {
    EXPECT_TRUE(std::isnan(x.value(index))) << index;
  }
}

TEST_F(StandinMemoryDeathTest, TheHostMayNotTouchIt) {
  DeviceFloats x(10);
  EXPECT_DEATH(read(x.data()), "the host accessed device memory");
  EXPECT_DEATH(overwrite(x.data() + 9), "the host accessed device memory");
}

TEST_F(StandinMemoryDeathTest, NorAfterWorkThatUsedItRan) {
  DeviceFloats x;
  x.set(1);
  affine(x.data(), 2, 3, stream_);
  ASSERT_EQ(cudaStreamSynchronize(stream_), cudaSuccess);
  EXPECT_DEATH(read(x.data()), "the host accessed device memory");
  EXPECT_DEATH(overwrite(x.data()), "the host accessed device memory");
  EXPECT_EQ(x.value(), 5);
}

TEST_F(StandinMemoryDeathTest, WhereMuchOfItIsInUseTheHostIsCaughtAfterSomeWaits) {
  constexpr std::size_t kCount = 64 * kMebibyte / sizeof(float);
  DeviceFloats x(kCount);
  EXPECT_DEATH(
      for (int wait = 0; wait < 100; ++wait) {
        cudaMemset(x.data(), 0, kCount * sizeof(float));
        read(x.data() + kCount / 2);
      },
      "the host accessed device memory");
}

TEST_F(StandinMemory, AWriteBehindTheEndIsSeenInTheGuardAndBreaksTheDeviceWhenFreed) {
  DeviceFloats before(3);
  float* x = nullptr;
  ASSERT_EQ(cudaMalloc(&x, 10 * sizeof(float)), cudaSuccess);
  write(x, 9, 1, stream_);
  ASSERT_EQ(cudaStreamSynchronize(stream_), cudaSuccess);
  EXPECT_EQ(damaged_guards(), "");
  write(x, 10, 1, stream_);
  if (emulator::detects_races()) {  // which checks bounds: the launch fails
    EXPECT_EQ(cudaStreamSynchronize(stream_), cudaErrorLaunchFailure);
    set_settings(Settings());
    EXPECT_EQ(cudaFree(x), cudaSuccess);
    return;
  }
  EXPECT_EQ(cudaStreamSynchronize(stream_), cudaSuccess);
  EXPECT_THAT(damaged_guards(), HasSubstr("40 bytes was written beyond its end"));
  EXPECT_EQ(cudaFree(x), cudaErrorIllegalAddress);
  EXPECT_EQ(cudaStreamSynchronize(stream_), cudaErrorIllegalAddress);
  set_settings(Settings());
  EXPECT_EQ(damaged_guards(), "");
}

TEST_F(StandinMemoryDeathTest, KernelsThatGoFarAstrayAreStopped) {
  constexpr std::int64_t kPage = 4096 / sizeof(float);
  DeviceFloats x(10);
  for (const std::int64_t index : {kPage, std::int64_t{-1}}) {
    EXPECT_DEATH(
        {
          write(x.data(), index, 1, stream_);
          // Under the race detector the launch fails.
          if (cudaStreamSynchronize(stream_) != cudaSuccess) std::abort();
        },
        "write_kernel|work accessed unallocated memory")
        << index;
  }
}

TEST_F(StandinMemoryDeathTest, AKernelThatUsesFreedMemoryIsStopped) {
  float* x = nullptr;
  ASSERT_EQ(cudaMalloc(&x, 40), cudaSuccess);
  write(x, 3, 1, stream_);
  ASSERT_EQ(cudaFree(x), cudaSuccess);  // waits for the kernel, as the driver does
  EXPECT_EQ(cudaStreamSynchronize(stream_), cudaSuccess);
  EXPECT_DEATH(
      {
        write(x, 3, 1, stream_);
        if (cudaStreamSynchronize(stream_) != cudaSuccess) std::abort();
      },
      "write_kernel|work accessed unallocated memory");
  EXPECT_DEATH(read(x), "");
}

TEST_F(StandinMemory, FreedAddressesAreNotUsedAgain) {
  std::set<float*> seen;
  for (int i = 0; i < 50; ++i) {
    DeviceFloats x(1000);
    EXPECT_TRUE(seen.insert(x.data()).second);
  }
}

TEST_F(StandinMemory, FreeingWhatIsNotThereIsAnError) {
  float* x = nullptr;
  ASSERT_EQ(cudaMalloc(&x, 40), cudaSuccess);
  EXPECT_EQ(cudaFree(x + 1), cudaErrorInvalidValue);
  EXPECT_EQ(cudaFree(x), cudaSuccess);
  EXPECT_EQ(cudaFree(x), cudaErrorInvalidValue);
  EXPECT_EQ(cudaFree(nullptr), cudaSuccess);
  float host = 0;
  EXPECT_EQ(cudaFreeHost(&host), cudaErrorInvalidValue);
}

TEST_F(StandinMemory, ADeviceThatIsFullRefusesAndIsUsableStill) {
  Settings settings;
  settings.memory = bytes_in_use() + 4 * kMebibyte;
  set_settings(settings);
  std::size_t free = 0;
  std::size_t total = 0;
  float* x = nullptr;
  float* y = nullptr;
  EXPECT_EQ(cudaMalloc(&x, 5 * kMebibyte), cudaErrorMemoryAllocation);
  EXPECT_EQ(x, nullptr);
  EXPECT_EQ(cudaGetLastError(), cudaErrorMemoryAllocation);
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);  // reported once: the device still works
  ASSERT_EQ(cudaMalloc(&x, 3 * kMebibyte), cudaSuccess);
  ASSERT_EQ(cudaMemGetInfo(&free, &total), cudaSuccess);
  EXPECT_EQ(free, kMebibyte);
  EXPECT_EQ(total, settings.memory);
  EXPECT_EQ(cudaMalloc(&y, 2 * kMebibyte), cudaErrorMemoryAllocation);
  ASSERT_EQ(cudaFree(x), cudaSuccess);
  ASSERT_EQ(cudaMalloc(&y, 2 * kMebibyte), cudaSuccess);
  EXPECT_EQ(cudaFree(y), cudaSuccess);
}

TEST_F(StandinMemory, KindsOfMemoryAreToldApart) {
  DeviceFloats device(10);
  PinnedFloat pinned(1);
  float ordinary = 1;
  const auto type_of = [](const void* pointer) {
    cudaPointerAttributes attributes{};
    EXPECT_EQ(cudaPointerGetAttributes(&attributes, pointer), cudaSuccess);
    return attributes.type;
  };
  EXPECT_EQ(type_of(device.data()), cudaMemoryTypeDevice);
  EXPECT_EQ(type_of(device.data() + 9), cudaMemoryTypeDevice);
  EXPECT_EQ(type_of(device.data() + 10), cudaMemoryTypeUnregistered);
  EXPECT_EQ(type_of(pinned.data()), cudaMemoryTypeHost);
  EXPECT_EQ(type_of(&ordinary), cudaMemoryTypeUnregistered);
}

TEST_F(StandinMemory, CopiesInTheWrongDirectionOrBeyondTheEndAreRefused) {
  DeviceFloats x(10);
  float host[11] = {};
  EXPECT_EQ(cudaMemcpy(x.data(), host, 40, cudaMemcpyHostToDevice), cudaSuccess);
  EXPECT_EQ(cudaMemcpy(x.data(), host, 44, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpy(host, x.data() + 9, 8, cudaMemcpyDeviceToHost), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpy(x.data(), host, 40, cudaMemcpyDeviceToHost), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpy(host, x.data(), 40, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemset(x.data() + 1, 0, 40), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemset(host, 0, 40), cudaErrorInvalidValue);
  EXPECT_EQ(damaged_guards(), "");
}

}  // namespace
}  // namespace hanok::standin::testing
