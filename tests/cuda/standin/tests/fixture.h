// Shared by the stand-in's own tests: a reset machine, and short names for memory on it.
#pragma once

#include <cmath>
#include <cstring>
#include <cuda_runtime.h>
#include <gtest/gtest.h>
#include <set>
#include <vector>

#include "tests/cuda/standin/control.h"
#include "tests/cuda/standin/tests/kernels.h"

namespace hanok::standin::testing {

constexpr std::size_t kMebibyte = std::size_t{1} << 20;
/// Number of orders to draw in tests that look for an event of probability 1/16 or more.
constexpr std::uint64_t kSeeds = 200;

class Standin : public ::testing::Test {
 protected:
  void SetUp() override {
    set_settings(Settings());
    cudaSetDevice(0);
    cudaGetLastError();
    ASSERT_EQ(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), cudaSuccess);
    ASSERT_EQ(cudaStreamCreateWithFlags(&other_, cudaStreamNonBlocking), cudaSuccess);
  }
  void TearDown() override {
    set_settings(Settings());
    cudaStreamDestroy(stream_);
    cudaStreamDestroy(other_);
  }
  /// Sets the order in which streams run.
  static void set_seed(std::uint64_t seed) {
    Settings settings;
    settings.seed = seed;
    set_settings(settings);
  }

  cudaStream_t stream_ = nullptr;
  cudaStream_t other_ = nullptr;
};

/// `count` floats of device memory, initially NaN.
class DeviceFloats {
 public:
  explicit DeviceFloats(std::size_t count = 1) {
    EXPECT_EQ(cudaMalloc(&data_, count * sizeof(float)), cudaSuccess);
  }
  ~DeviceFloats() { cudaFree(data_); }
  DeviceFloats(const DeviceFloats&) = delete;
  DeviceFloats& operator=(const DeviceFloats&) = delete;
  float* data() { return data_; }
  /// Synchronises, then reads.
  float value(std::size_t index = 0) const {
    cudaDeviceSynchronize();
    float host = 0;
    EXPECT_EQ(cudaMemcpy(&host, data_ + index, sizeof host, cudaMemcpyDeviceToHost), cudaSuccess);
    return host;
  }
  void set(float value) {
    EXPECT_EQ(cudaMemcpy(data_, &value, sizeof value, cudaMemcpyHostToDevice), cudaSuccess);
  }

 private:
  float* data_ = nullptr;
};

/// One float of pinned memory.
class PinnedFloat {
 public:
  explicit PinnedFloat(float value) {
    EXPECT_EQ(cudaMallocHost(&data_, sizeof *data_), cudaSuccess);
    *data_ = value;
  }
  ~PinnedFloat() { cudaFreeHost(data_); }
  PinnedFloat(const PinnedFloat&) = delete;
  PinnedFloat& operator=(const PinnedFloat&) = delete;
  float* data() { return data_; }
  float& operator*() { return *data_; }

 private:
  float* data_ = nullptr;
};

}  // namespace hanok::standin::testing
