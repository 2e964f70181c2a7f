// Bytes from device to device.
#pragma once

#include <cstddef>

#include "hanok/kernels/base/device.h"

namespace hanok {

/// Copies between two places of equal or different devices, in the order of their compute streams.
/// When it returns, host memory has been read or written; device memory is written later, before
/// the ops that follow.
void copy_bytes(Device to_device, void* to, Device from_device, const void* from,
                std::size_t bytes);

/// Waits until everything asked of a device is done; nothing on the CPU. Throws DeviceError for
/// whatever went wrong there since the last time.
void synchronize(Device device);

/// Page-locked host memory, which a GPU copies from and to while the host goes on.
class PinnedMemory {
 public:
  /// Throws OutOfMemory; DeviceError in a build without CUDA.
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
