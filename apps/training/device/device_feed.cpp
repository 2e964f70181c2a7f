#include "hanok/apps/training/device/device_feed.h"

#include <cstring>

#include "hanok/engine/allocator.h"
#include "hanok/engine/runtime.h"

namespace hanok::training {
namespace {

using Stream = CudaRuntime::Stream;

Tensor channel_values(const std::array<float, 3>& values, Device device) {
  return Tensor::from_vector(std::vector<float>(values.begin(), values.end()), {3}).to(device);
}

}  // namespace

DeviceFeed::DeviceFeed(Device device, const data::Preprocessing& preprocessing)
    : device_(device),
      mean_(channel_values(preprocessing.mean, device)),
      stddev_(channel_values(preprocessing.stddev, device)) {}

Tensor DeviceFeed::operator()(const Tensor& host) {
  const MemoryTag tag("batches");
  const int index = device_.index;
  CudaRuntime& cuda = *cuda_runtime();
  Slot& slot = slots_[next_];
  next_ = (next_ + 1) % slots_.size();

  if (slot.copied) slot.copied->wait();  // the pinned memory is free again
  if (slot.pinned == nullptr || slot.pinned->bytes() < host.bytes()) {
    slot.pinned = std::make_unique<PinnedMemory>(host.bytes());
  }
  std::memcpy(slot.pinned->data(), host.view().data, host.bytes());
  if (!slot.device.defined() || slot.device.shape() != host.shape() ||
      slot.device.dtype() != host.dtype()) {
    slot.device = Tensor::empty(host.shape(), {host.dtype(), device_});
    // Its memory may have been another tensor's, which work of the compute stream still reads.
    slot.read = cuda.mark(index, Stream::Compute);
  }
  if (slot.read) slot.read->hold_back(Stream::Copy);
  cuda.copy(index, Stream::Copy, CudaRuntime::Copy::HostToDevice, slot.device.mutable_view().data,
            slot.pinned->data(), host.bytes());
  slot.copied = cuda.mark(index, Stream::Copy);
  slot.copied->hold_back(Stream::Compute);

  Tensor images = Tensor::empty(host.shape(), {DType::F32, device_});
  if (host.dtype() == DType::U8) {
    run_on(device_, NormalizeU8{.x = slot.device.view(),
                                .mean = mean_.view(),
                                .stddev = stddev_.view(),
                                .y = images.mutable_view()});
  } else {
    images.copy_from(slot.device);
  }
  slot.read = cuda.mark(index, Stream::Compute);
  return images;
}

}  // namespace hanok::training
