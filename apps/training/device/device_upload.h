// Brings small host tensors of a step (targets) to a GPU asynchronously: through pinned memory, in
// the order of the compute stream.
#pragma once

#include <array>
#include <cstddef>
#include <memory>

#include "hanok/engine/device_copy.h"
#include "hanok/engine/tensor.h"
#include "hanok/kernels/cuda_runtime.h"

#pragma GCC visibility push(default)
namespace hanok::training {

class DeviceUpload {
 public:
  explicit DeviceUpload(Device device) : device_(device) {}

  /// A copy on the device; ops that follow find it there. Waits where the copy of the last call but
  /// one has not been made yet. On the CPU: `host` itself.
  Tensor operator()(const Tensor& host);

 private:
  struct Slot {
    std::unique_ptr<PinnedMemory> pinned;
    std::unique_ptr<CudaMark> copied;
  };

  Device device_;
  std::array<Slot, 2> slots_;
  std::size_t next_ = 0;
};

}  // namespace hanok::training
#pragma GCC visibility pop
