#include "hanok/apps/training/device/device_upload.h"

#include <cstring>

#include "hanok/engine/allocator.h"

namespace hanok::training {

Tensor DeviceUpload::operator()(const Tensor& host) {
  if (device_.is_cpu()) return host;
  const MemoryTag tag("batches");
  Tensor result = Tensor::empty(host.shape(), {host.dtype(), device_});
  Slot& slot = slots_[next_];
  next_ = (next_ + 1) % slots_.size();
  if (slot.copied) slot.copied->wait();
  if (slot.pinned == nullptr || slot.pinned->bytes() < host.bytes()) {
    slot.pinned = std::make_unique<PinnedMemory>(host.bytes());
  }
  std::memcpy(slot.pinned->data(), host.view().data, host.bytes());
  cuda_runtime()->copy(device_.index, CudaStream::Compute, CudaRuntime::Copy::HostToDevice,
                       result.mutable_view().data, slot.pinned->data(), host.bytes());
  slot.copied = cuda_runtime()->mark(device_.index, CudaStream::Compute);
  return result;
}

}  // namespace hanok::training
