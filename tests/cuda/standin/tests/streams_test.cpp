// Streams, events and copies: what CUDA orders holds for every seed; what it does not order happens
// both ways, so that code that relies on luck fails for some seed.
#include <string>

#include "tests/cuda/standin/tests/fixture.h"

namespace hanok::standin::testing {
namespace {

/// Results of `run` over many orders.
template <typename Run>
std::set<float> results(const Run& run) {
  std::set<float> found;
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) found.insert(run(seed));
  return found;
}

class StandinStreams : public Standin {};

TEST_F(StandinStreams, RunTheirOwnWorkInOrder) {
  DeviceFloats x;
  EXPECT_EQ(results([&](std::uint64_t seed) {
              set_seed(seed);
              x.set(1);
              affine(x.data(), 2, 0, stream_);
              affine(x.data(), 1, 3, stream_);
              affine(x.data(), 10, 0, stream_);
              return x.value();
            }),
            std::set<float>{50});
}

TEST_F(StandinStreams, AreNotInOrderWithEachOther) {
  DeviceFloats x;
  // (1 * 2) + 3 in call order, (1 + 3) * 2 in the other order.
  EXPECT_EQ(results([&](std::uint64_t seed) {
              set_seed(seed);
              x.set(1);
              affine(x.data(), 2, 0, stream_);
              affine(x.data(), 1, 3, other_);
              return x.value();
            }),
            (std::set<float>{5, 8}));
}

TEST_F(StandinStreams, AnEventPutsThemInOrder) {
  DeviceFloats x;
  cudaEvent_t event = nullptr;
  ASSERT_EQ(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), cudaSuccess);
  EXPECT_EQ(results([&](std::uint64_t seed) {
              set_seed(seed);
              x.set(1);
              affine(x.data(), 2, 0, stream_);
              EXPECT_EQ(cudaEventRecord(event, stream_), cudaSuccess);
              EXPECT_EQ(cudaStreamWaitEvent(other_, event), cudaSuccess);
              affine(x.data(), 1, 3, other_);
              return x.value();
            }),
            std::set<float>{5});
  EXPECT_EQ(cudaEventDestroy(event), cudaSuccess);
}

TEST_F(StandinStreams, AnEventRecordedTooEarlyOrWaitedForTooEarlyDoesNot) {
  DeviceFloats x;
  cudaEvent_t event = nullptr;
  ASSERT_EQ(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), cudaSuccess);
  EXPECT_EQ(results([&](std::uint64_t seed) {
              set_seed(seed);
              x.set(1);
              cudaEventRecord(event, stream_);  // recorded before the work that it should follow
              affine(x.data(), 2, 0, stream_);
              cudaStreamWaitEvent(other_, event);
              affine(x.data(), 1, 3, other_);
              return x.value();
            }),
            (std::set<float>{5, 8}));
  EXPECT_EQ(results([&](std::uint64_t seed) {
              set_seed(seed);
              x.set(1);
              affine(x.data(), 2, 0, stream_);
              cudaStreamWaitEvent(other_, event);  // waits for the earlier, complete work
              cudaEventRecord(event, stream_);
              affine(x.data(), 1, 3, other_);
              return x.value();
            }),
            (std::set<float>{5, 8}));
  EXPECT_EQ(cudaEventDestroy(event), cudaSuccess);
}

TEST_F(StandinStreams, AnEventMayBeRecordedAgainOrDestroyedWhileItIsWaitedFor) {
  DeviceFloats x;
  EXPECT_EQ(results([&](std::uint64_t seed) {
              set_seed(seed);
              cudaEvent_t event = nullptr;
              EXPECT_EQ(cudaEventCreate(&event), cudaSuccess);
              x.set(1);
              affine(x.data(), 2, 0, stream_);
              cudaEventRecord(event, stream_);
              cudaStreamWaitEvent(other_, event);
              cudaEventRecord(event, other_);
              EXPECT_EQ(cudaEventDestroy(event), cudaSuccess);
              affine(x.data(), 1, 3, other_);
              return x.value();
            }),
            std::set<float>{5});
}

TEST_F(StandinStreams, TheDefaultStreamWaitsForAllOthers) {
  DeviceFloats x;
  EXPECT_EQ(results([&](std::uint64_t seed) {
              set_seed(seed);
              x.set(1);
              affine(x.data(), 2, 0, stream_);
              affine(x.data(), 1, 3, nullptr);
              affine(x.data(), 10, 0, other_);
              return x.value();
            }),
            std::set<float>{50});
}

TEST_F(StandinStreams, WaitingForOneLeavesTheOtherOpen) {
  DeviceFloats x;
  PinnedFloat seen(0);
  // Waiting for the wrong stream reads the old value for some seed, the new one for another.
  EXPECT_EQ(results([&](std::uint64_t seed) {
              set_seed(seed);
              x.set(7);
              *seen = 0;
              cudaMemcpyAsync(seen.data(), x.data(), 4, cudaMemcpyDeviceToHost, stream_);
              EXPECT_EQ(cudaStreamSynchronize(other_), cudaSuccess);
              return *seen;
            }),
            (std::set<float>{0, 7}));
}

TEST_F(StandinStreams, AResultReadTooEarlyIsTheOldOne) {
  DeviceFloats x;
  PinnedFloat seen(0);
  cudaEvent_t event = nullptr;
  ASSERT_EQ(cudaEventCreate(&event), cudaSuccess);
  for (const bool wait : {false, true}) {
    EXPECT_EQ(results([&](std::uint64_t seed) {
                set_seed(seed);
                x.set(7);
                *seen = 0;
                cudaMemcpyAsync(seen.data(), x.data(), 4, cudaMemcpyDeviceToHost, stream_);
                cudaEventRecord(event, stream_);
                if (wait) {
                  EXPECT_EQ(cudaEventSynchronize(event), cudaSuccess);
                }
                return *seen;
              }),
              (wait ? std::set<float>{7} : std::set<float>{0, 7}));
  }
  EXPECT_EQ(cudaEventDestroy(event), cudaSuccess);
}

TEST_F(StandinStreams, QueriesSayWhetherWorkIsLeftAndAreNoErrors) {
  DeviceFloats x;
  cudaEvent_t event = nullptr;
  ASSERT_EQ(cudaEventCreate(&event), cudaSuccess);
  std::set<cudaError_t> of_stream;
  std::set<cudaError_t> of_event;
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    set_seed(seed);
    affine(x.data(), 2, 0, stream_);
    cudaEventRecord(event, stream_);
    of_stream.insert(cudaStreamQuery(stream_));
    of_event.insert(cudaEventQuery(event));
    EXPECT_EQ(cudaGetLastError(), cudaSuccess);
    cudaStreamSynchronize(stream_);
    EXPECT_EQ(cudaStreamQuery(stream_), cudaSuccess);
    EXPECT_EQ(cudaEventQuery(event), cudaSuccess);
  }
  EXPECT_EQ(of_stream, (std::set<cudaError_t>{cudaSuccess, cudaErrorNotReady}));
  EXPECT_EQ(of_event, (std::set<cudaError_t>{cudaSuccess, cudaErrorNotReady}));
  EXPECT_EQ(cudaEventDestroy(event), cudaSuccess);
}

TEST_F(StandinStreams, ALongQueueMakesTheHostWait) {
  DeviceFloats x;
  x.set(0);
  reset_counters();
  for (int i = 0; i < 5000; ++i) affine(x.data(), 1, 1, stream_);
  EXPECT_GT(counters().executed, 3000);
  EXPECT_EQ(x.value(), 5000);
}

class StandinCopies : public Standin {};

/// The result of a copy from `source` to x if the source is changed after the call.
template <typename Set>
std::set<float> copied(float* source, DeviceFloats& x, cudaStream_t stream, bool wait,
                       const Set& set_seed) {
  return results([&](std::uint64_t seed) {
    set_seed(seed);
    *source = 1;
    EXPECT_EQ(cudaMemcpyAsync(x.data(), source, 4, cudaMemcpyHostToDevice, stream), cudaSuccess);
    if (wait) {
      EXPECT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
    }
    *source = 2;
    return x.value();
  });
}

TEST_F(StandinCopies, FromTheHostReadWhatIsThereWhenTheyRun) {
  DeviceFloats x;
  PinnedFloat pinned(1);
  float ordinary = 1;
  for (float* source : {pinned.data(), &ordinary}) {
    EXPECT_EQ(copied(source, x, stream_, /*wait=*/false, set_seed), (std::set<float>{1, 2}))
        << "too early";
    EXPECT_EQ(copied(source, x, stream_, /*wait=*/true, set_seed), std::set<float>{1});
  }
}

TEST_F(StandinCopies, ToOrdinaryMemoryHaveWrittenItWhenTheStreamHasPassedThem) {
  DeviceFloats x;
  for (const bool wait : {false, true}) {
    EXPECT_EQ(results([&](std::uint64_t seed) {
                set_seed(seed);
                x.set(1);
                float target = 0;
                affine(x.data(), 2, 5, stream_);
                cudaMemcpyAsync(&target, x.data(), 4, cudaMemcpyDeviceToHost, stream_);
                if (wait) cudaStreamSynchronize(stream_);
                const float seen = target;
                cudaStreamSynchronize(stream_);
                return seen;
              }),
              (wait ? std::set<float>{7} : std::set<float>{0, 7}));
  }
}

TEST_F(StandinCopies, OfOrdinaryMemoryAreCounted) {
  DeviceFloats x;
  PinnedFloat pinned(1);
  float ordinary = 1;
  reset_counters();
  cudaMemcpyAsync(x.data(), pinned.data(), 4, cudaMemcpyHostToDevice, stream_);
  EXPECT_EQ(counters().pageable_copies, 0);
  EXPECT_EQ(counters().synchronizations, 0);
  cudaMemcpyAsync(x.data(), &ordinary, 4, cudaMemcpyHostToDevice, stream_);
  cudaMemcpyAsync(&ordinary, x.data(), 4, cudaMemcpyDeviceToHost, stream_);
  EXPECT_EQ(counters().copies, 3);
  EXPECT_EQ(counters().pageable_copies, 2);
  EXPECT_EQ(counters().synchronizations, 0);
  cudaStreamSynchronize(stream_);
}

TEST_F(StandinCopies, OnTheDeviceAreInTheStreamsOrder) {
  DeviceFloats x(2);
  EXPECT_EQ(results([&](std::uint64_t seed) {
              set_seed(seed);
              x.set(1);
              affine(x.data(), 2, 0, stream_);
              cudaMemcpyAsync(x.data() + 1, x.data(), 4, cudaMemcpyDeviceToDevice, stream_);
              affine(x.data(), 0, 100, stream_);
              return x.value(1);
            }),
            std::set<float>{2});
}

}  // namespace
}  // namespace hanok::standin::testing
