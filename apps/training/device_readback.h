// Brings small results of a step to the host without making anybody wait: they are copied into
// pinned memory behind the step, and read when the next step is under way.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <vector>

#include "hanok/engine/device_copy.h"
#include "hanok/engine/tensor.h"
#include "hanok/kernels/cuda_runtime.h"

namespace hanok::training {

class DeviceReadback {
 public:
  /// Enqueues copies of `results` (of one GPU). At most two may be under way at a time. Returns
  /// what to give to finish().
  std::size_t start(const std::vector<Tensor>& results);
  /// Waits for them: the results, on the CPU.
  std::vector<Tensor> finish(std::size_t slot);

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
