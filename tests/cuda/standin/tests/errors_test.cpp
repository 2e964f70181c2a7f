// Errors of the stand-in: which are cleared, which last until the process ends, and machines on
// which nothing can run.
#include <stdexcept>

#include "tests/cuda/standin/tests/fixture.h"

namespace hanok::standin::testing {
namespace {

class StandinErrors : public Standin {};

TEST_F(StandinErrors, AWrongArgumentIsToldOnce) {
  float host = 0;
  EXPECT_EQ(cudaMemset(&host, 0, 4), cudaErrorInvalidValue);
  EXPECT_EQ(cudaPeekAtLastError(), cudaErrorInvalidValue);
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidValue);
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
  EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
}

TEST_F(StandinErrors, AFailedLaunchIsNoticedLateAndStays) {
  DeviceFloats x;
  x.set(1);
  Settings settings;
  settings.fail_launch = 2;
  std::set<cudaError_t> at_once;
  constexpr std::uint64_t kRounds = 60;
  for (std::uint64_t seed = 0; seed < kRounds; ++seed) {
    settings.seed = seed;
    set_settings(settings);
    affine(x.data(), 1, 1, stream_);
    affine(x.data(), 100, 0, stream_);  // fails
    at_once.insert(cudaGetLastError());
    affine(x.data(), 1, 1, stream_);
    EXPECT_EQ(cudaStreamSynchronize(stream_), cudaErrorLaunchFailure);
    for (int again = 0; again < 2; ++again) {
      EXPECT_EQ(cudaGetLastError(), cudaErrorLaunchFailure);
      EXPECT_EQ(cudaStreamSynchronize(other_), cudaErrorLaunchFailure);
    }
    float* y = nullptr;
    EXPECT_EQ(cudaMalloc(&y, 4), cudaErrorLaunchFailure);
    EXPECT_EQ(cudaMemset(x.data(), 0, 4), cudaErrorLaunchFailure);
  }
  EXPECT_EQ(at_once, (std::set<cudaError_t>{cudaSuccess, cudaErrorLaunchFailure}));
  set_settings(Settings());
  // In each round only work before the failure has run.
  EXPECT_EQ(x.value(), 1 + static_cast<float>(kRounds));
}

TEST_F(StandinErrors, MachinesOnWhichNothingRuns) {
  int count = -1;
  Settings settings;
  settings.driver = 0;
  set_settings(settings);
  EXPECT_EQ(cudaGetDeviceCount(&count), cudaErrorInsufficientDriver);
  EXPECT_EQ(count, 0);
  settings.driver = 12080;
  set_settings(settings);
  EXPECT_EQ(cudaGetDeviceCount(&count), cudaErrorInsufficientDriver);
  EXPECT_EQ(cudaDriverGetVersion(&count), cudaSuccess);
  EXPECT_EQ(count, 12080);
  settings.driver = 13000;
  settings.devices = 0;
  set_settings(settings);
  EXPECT_EQ(cudaGetDeviceCount(&count), cudaErrorNoDevice);
  settings.devices = 2;
  settings.arch = 75;
  set_settings(settings);
  EXPECT_EQ(cudaGetDeviceCount(&count), cudaSuccess);
  EXPECT_EQ(count, 2);
  EXPECT_EQ(cudaSetDevice(1), cudaSuccess);
  EXPECT_EQ(cudaSetDevice(2), cudaErrorInvalidDevice);
  EXPECT_EQ(cudaSetDevice(-1), cudaErrorInvalidDevice);
  cudaDeviceProp properties{};
  EXPECT_EQ(cudaGetDeviceProperties(&properties, 1), cudaSuccess);
  EXPECT_EQ(properties.major * 10 + properties.minor, 75);
  EXPECT_EQ(cudaGetDeviceProperties(&properties, 2), cudaErrorInvalidDevice);
}

TEST_F(StandinErrors, SettingsAreReadOrRefused) {
  const Settings settings = parse_settings("seed=3,memory=64M,arch=75,cublas=0,fail_launch=40");
  EXPECT_EQ(settings.seed, 3U);
  EXPECT_EQ(settings.memory, 64 * kMebibyte);
  EXPECT_EQ(settings.arch, 75);
  EXPECT_FALSE(settings.cublas);
  EXPECT_TRUE(settings.cudnn);
  EXPECT_EQ(settings.fail_launch, 40);
  for (const char* bad : {"seed", "seed=", "seed=x", "memory=3T", "speed=1"}) {
    EXPECT_THROW(parse_settings(bad), std::invalid_argument) << bad;
  }
}

class StandinCapture : public Standin {
 protected:
  /// Captures the work that `record` enqueues on stream_.
  template <typename Record>
  cudaError_t capture(const Record& record, cudaGraph_t* graph) {
    EXPECT_EQ(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeRelaxed), cudaSuccess);
    record();
    return cudaStreamEndCapture(stream_, graph);
  }
  /// A step that cannot be captured: reported immediately, and at the end of the capture.
  template <typename Call>
  void expect_breaks_capture(const Call& call) {
    cudaGraph_t graph = nullptr;
    cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
    EXPECT_NE(capture(
                  [&] {
                    EXPECT_NE(call(), cudaSuccess);
                    cudaStreamIsCapturing(stream_, &status);
                  },
                  &graph),
              cudaSuccess);
    EXPECT_EQ(status, cudaStreamCaptureStatusInvalidated);
    EXPECT_EQ(graph, nullptr);
    cudaGetLastError();
    cudaStreamIsCapturing(stream_, &status);
    EXPECT_EQ(status, cudaStreamCaptureStatusNone);
    EXPECT_EQ(cudaStreamSynchronize(stream_), cudaSuccess);
  }
};
using StandinCaptureDeathTest = StandinCapture;

TEST_F(StandinCapture, WhatIsCapturedRunsAtEachReplayOnly) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    set_seed(seed);
    DeviceFloats x(2);
    PinnedFloat source(4);
    x.set(1);
    cudaGraph_t graph = nullptr;
    ASSERT_EQ(capture(
                  [&] {
                    cudaMemcpyAsync(x.data() + 1, source.data(), 4, cudaMemcpyHostToDevice,
                                    stream_);
                    affine(x.data(), 2, 3, stream_);
                  },
                  &graph),
              cudaSuccess);
    EXPECT_EQ(x.value(), 1);
    cudaGraphExec_t exec = nullptr;
    ASSERT_EQ(cudaGraphInstantiate(&exec, graph), cudaSuccess);
    EXPECT_EQ(cudaGraphDestroy(graph), cudaSuccess);  // the executable graph no longer needs it
    EXPECT_EQ(x.value(), 1);
    EXPECT_EQ(cudaGraphLaunch(exec, stream_), cudaSuccess);
    EXPECT_EQ(x.value(), 5);
    EXPECT_EQ(x.value(1), 4);
    // New values at the old addresses, in stream order.
    x.set(10);
    *source = 6;
    EXPECT_EQ(cudaGraphLaunch(exec, stream_), cudaSuccess);
    affine(x.data(), 10, 0, stream_);
    EXPECT_EQ(cudaGraphLaunch(exec, stream_), cudaSuccess);
    EXPECT_EQ(cudaGraphExecDestroy(exec), cudaSuccess);
    EXPECT_EQ(x.value(), 463);  // 2 (10 (2 * 10 + 3)) + 3
    EXPECT_EQ(x.value(1), 6);
  }
}

TEST_F(StandinCapture, OtherStreamsGoOnWhileOneIsCaptured) {
  DeviceFloats x;
  x.set(1);
  cudaGraph_t graph = nullptr;
  ASSERT_EQ(capture([&] { affine(x.data(), 1, 3, other_); }, &graph), cudaSuccess);
  EXPECT_EQ(x.value(), 4);
  EXPECT_EQ(cudaGraphDestroy(graph), cudaSuccess);
}

TEST_F(StandinCapture, CallsThatWaitBreakIt) {
  DeviceFloats x;
  PinnedFloat pinned(1);
  cudaEvent_t event = nullptr;
  ASSERT_EQ(cudaEventCreate(&event), cudaSuccess);
  expect_breaks_capture([&] { return cudaStreamSynchronize(stream_); });
  expect_breaks_capture([&] { return cudaDeviceSynchronize(); });
  expect_breaks_capture([&] { return cudaEventSynchronize(event); });
  expect_breaks_capture(
      [&] { return cudaMemcpy(pinned.data(), x.data(), 4, cudaMemcpyDeviceToHost); });
  EXPECT_EQ(cudaEventDestroy(event), cudaSuccess);
}

TEST_F(StandinCapture, CopiesOfOrdinaryMemoryAreRecordedWithTheirAddresses) {
  DeviceFloats x;
  float from = 1;
  float to = 0;
  cudaGraph_t graph = nullptr;
  ASSERT_EQ(capture(
                [&] {
                  cudaMemcpyAsync(x.data(), &from, 4, cudaMemcpyHostToDevice, stream_);
                  cudaMemcpyAsync(&to, x.data(), 4, cudaMemcpyDeviceToHost, stream_);
                },
                &graph),
            cudaSuccess);
  cudaGraphExec_t exec = nullptr;
  ASSERT_EQ(cudaGraphInstantiate(&exec, graph), cudaSuccess);
  from = 2;
  EXPECT_EQ(cudaGraphLaunch(exec, stream_), cudaSuccess);
  EXPECT_EQ(cudaStreamSynchronize(stream_), cudaSuccess);
  EXPECT_EQ(to, 2);
  cudaGraphExecDestroy(exec);
  cudaGraphDestroy(graph);
}

TEST_F(StandinCapture, BeginsAndEndsInPairs) {
  cudaGraph_t graph = nullptr;
  EXPECT_EQ(cudaStreamEndCapture(stream_, &graph), cudaErrorStreamCaptureUnmatched);
  EXPECT_EQ(cudaStreamBeginCapture(nullptr, cudaStreamCaptureModeRelaxed),
            cudaErrorStreamCaptureUnsupported);
  ASSERT_EQ(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeRelaxed), cudaSuccess);
  EXPECT_NE(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeRelaxed), cudaSuccess);
  EXPECT_EQ(cudaStreamEndCapture(stream_, &graph), cudaSuccess);
  EXPECT_EQ(cudaGraphDestroy(graph), cudaSuccess);
}

TEST_F(StandinCapture, ALaunchThatFailsInAReplayBreaksTheDevice) {
  DeviceFloats x;
  x.set(1);
  Settings settings;
  settings.fail_launch = 1;
  set_settings(settings);
  cudaGraph_t graph = nullptr;
  ASSERT_EQ(capture([&] { affine(x.data(), 2, 0, stream_); }, &graph), cudaSuccess);
  cudaGraphExec_t exec = nullptr;
  ASSERT_EQ(cudaGraphInstantiate(&exec, graph), cudaSuccess);
  EXPECT_EQ(cudaStreamSynchronize(stream_), cudaSuccess);
  cudaGraphLaunch(exec, stream_);
  EXPECT_EQ(cudaStreamSynchronize(stream_), cudaErrorLaunchFailure);
  EXPECT_EQ(cudaGraphLaunch(exec, stream_), cudaErrorLaunchFailure);
  cudaGraphExecDestroy(exec);
  cudaGraphDestroy(graph);
}

TEST_F(StandinCaptureDeathTest, AReplayOnFreedMemoryIsStopped) {
  float* x = nullptr;
  ASSERT_EQ(cudaMalloc(&x, 4), cudaSuccess);
  cudaGraph_t graph = nullptr;
  ASSERT_EQ(capture([&] { write(x, 0, 1, stream_); }, &graph), cudaSuccess);
  cudaGraphExec_t exec = nullptr;
  ASSERT_EQ(cudaGraphInstantiate(&exec, graph), cudaSuccess);
  cudaGraphLaunch(exec, stream_);
  EXPECT_EQ(cudaStreamSynchronize(stream_), cudaSuccess);
  ASSERT_EQ(cudaFree(x), cudaSuccess);
  EXPECT_DEATH(
      {
        cudaGraphLaunch(exec, stream_);
        if (cudaStreamSynchronize(stream_) != cudaSuccess) std::abort();
      },
      "write_kernel|work accessed unallocated memory");
  cudaGraphExecDestroy(exec);
  cudaGraphDestroy(graph);
}

}  // namespace
}  // namespace hanok::standin::testing
