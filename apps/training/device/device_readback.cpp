#include "hanok/apps/training/device/device_readback.h"

#include <cstring>

namespace hanok::training {
namespace {

/// Room for one result, aligned.
std::size_t room(const Tensor& tensor) { return (tensor.bytes() + 63) / 64 * 64; }

}  // namespace

std::size_t DeviceReadback::start(const std::vector<Tensor>& results) {
  const std::size_t number = next_;
  next_ = (next_ + 1) % slots_.size();
  Slot& slot = slots_[number];
  if (slot.copied) slot.copied->wait();
  std::size_t bytes = 0;
  for (const Tensor& result : results) bytes += room(result);
  if (slot.pinned == nullptr || slot.pinned->bytes() < bytes) {
    slot.pinned = std::make_unique<PinnedMemory>(bytes);
  }
  auto* to = static_cast<char*>(slot.pinned->data());
  const int device = results.front().device().index;
  for (const Tensor& result : results) {
    cuda_runtime()->copy(device, CudaStream::Compute, CudaRuntime::Copy::DeviceToHost, to,
                         result.view().data, result.bytes());
    to += room(result);
  }
  slot.copied = cuda_runtime()->mark(device, CudaStream::Compute);
  slot.results = results;
  return number;
}

std::vector<Tensor> DeviceReadback::finish(std::size_t number) {
  Slot& slot = slots_[number];
  slot.copied->wait();
  const auto* from = static_cast<const char*>(slot.pinned->data());
  std::vector<Tensor> host;
  for (const Tensor& result : slot.results) {
    host.push_back(Tensor::empty(result.shape(), {result.dtype()}));
    std::memcpy(host.back().mutable_view().data, from, result.bytes());
    from += room(result);
  }
  slot.results.clear();
  return host;
}

}  // namespace hanok::training
