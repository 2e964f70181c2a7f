// Copies between devices.
#pragma once

#include <cstddef>

#include "hanok/kernels/base/device.h"

#pragma GCC visibility push(default)
namespace hanok {

/// Copies between the same or different devices, in the order of their compute streams. On return
/// host memory has been read or written; device memory is written later, but before subsequent ops.
void copy_bytes(Device to_device, void* to, Device from_device, const void* from,
                std::size_t bytes);

/// Waits until all work enqueued on a device is done; no effect on the CPU. Throws DeviceError for
/// any error on the device since the last call.
void synchronize(Device device);

/// Page-locked host memory, which a GPU can copy asynchronously.
class PinnedMemory {
 public:
  /// Throws OutOfMemory, or DeviceError in a build without CUDA.
  explicit PinnedMemory(std::size_t bytes);
  ~PinnedMemory();
  PinnedMemory(const PinnedMemory&) = delete;
  PinnedMemory& operator=(const PinnedMemory&) = delete;
  void* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }

 private:
  std::size_t bytes_;
  void* data_;
};

}  // namespace hanok
#pragma GCC visibility pop
