// Brings small results of a step to the host without synchronising: they are copied into pinned
// memory behind the step, and read while the next step runs.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <vector>

#include "hanok/engine/device_copy.h"
#include "hanok/engine/tensor.h"
#include "hanok/kernels/cuda_runtime.h"

#pragma GCC visibility push(default)
namespace hanok::training {

/// Copies results to the host asynchronously.
class Readback {
 public:
  Readback() = default;
  virtual ~Readback() = default;
  Readback(const Readback&) = delete;
  Readback& operator=(const Readback&) = delete;

  /// Enqueues copies of `results`, which are on one device. At most two calls may be unfinished at
  /// a time. Returns what to give to finish().
  virtual std::size_t start(const std::vector<Tensor>& results) = 0;
  /// Waits for the copies of start(): the results, on the CPU.
  virtual std::vector<Tensor> finish(std::size_t copy) = 0;
};

/// From a GPU, in the order of its compute stream.
class DeviceReadback final : public Readback {
 public:
  std::size_t start(const std::vector<Tensor>& results) override;
  std::vector<Tensor> finish(std::size_t copy) override;

 private:
  struct Slot {
    std::unique_ptr<PinnedMemory> pinned;
    std::unique_ptr<CudaMark> copied;
    std::vector<Tensor> results;  // on the device; only shapes and types are read again
  };
  std::array<Slot, 2> slots_;
  std::size_t next_ = 0;
};

}  // namespace hanok::training
#pragma GCC visibility pop
