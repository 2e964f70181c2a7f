#include "hanok/engine/device_copy.h"

#include <cstring>
#include <vector>

#include "hanok/engine/runtime.h"
#include "hanok/kernels/base/error.h"
#include "hanok/kernels/cuda_runtime.h"

namespace hanok {

void copy_bytes(Device to_device, void* to, Device from_device, const void* from,
                std::size_t bytes) {
  using Copy = CudaRuntime::Copy;
  constexpr auto kCompute = CudaRuntime::Stream::Compute;
  if (bytes == 0) return;
  if (to_device.is_cpu() && from_device.is_cpu()) {
    std::memmove(to, from, bytes);
    return;
  }
  require_cuda(to_device.is_cpu() ? from_device : to_device);
  if (to_device == from_device) {
    cuda_runtime()->copy(to_device.index, kCompute, Copy::DeviceToDevice, to, from, bytes);
  } else if (from_device.is_cpu()) {
    cuda_runtime()->copy(to_device.index, kCompute, Copy::HostToDevice, to, from, bytes);
  } else if (to_device.is_cpu()) {
    cuda_runtime()->copy(from_device.index, kCompute, Copy::DeviceToHost, to, from, bytes);
    cuda_runtime()->synchronize(from_device.index, kCompute);  // for pinned memory
  } else {
    std::vector<char> host(bytes);
    copy_bytes(Device::cpu(), host.data(), from_device, from, bytes);
    copy_bytes(to_device, to, Device::cpu(), host.data(), bytes);
  }
}

void synchronize(Device device) {
  if (device.is_cpu()) return;
  require_cuda(device);
  cuda_runtime()->synchronize(device.index, CudaRuntime::Stream::Compute);
  cuda_runtime()->synchronize(device.index, CudaRuntime::Stream::Copy);
}

PinnedMemory::PinnedMemory(std::size_t bytes) : bytes_(bytes) {
  require_cuda(Device::cuda(0));
  data_ = cuda_runtime()->allocate_pinned(bytes);
  if (data_ == nullptr) throw OutOfMemory(bytes, 0, 0);
}

PinnedMemory::~PinnedMemory() {
  try {
    cuda_runtime()->release_pinned(data_);
  } catch (const Error&) {
    // The device has failed: its next user gets the error.
  }
}

}  // namespace hanok
