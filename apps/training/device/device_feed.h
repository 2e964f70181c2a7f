// Brings batches to a GPU while it computes: two slots of pinned memory are filled in turn, copied
// on the copy stream, and normalised on the device.
//
//   host      fill slot 0 | fill slot 1 | wait for slot 0's copy, fill it | ...
//   copies       slot 0 -> device | slot 1 -> device | (after slot 0 was read) ...
//   compute                normalise slot 0, step | normalise slot 1, step | ...
//
// The host waits only where it is two batches ahead of the copies.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "hanok/data/loader.h"
#include "hanok/data/transforms.h"
#include "hanok/engine/device_copy.h"
#include "hanok/engine/tensor.h"
#include "hanok/kernels/cuda_runtime.h"

#pragma GCC visibility push(default)
namespace hanok::training {

class DeviceFeed {
 public:
  /// Bytes are normalised with the preprocessing's mean and standard deviation.
  DeviceFeed(Device device, const data::Preprocessing& preprocessing);

  /// A batch's images on the device, as f32. They are u8 (normalised there) or f32 (images or what
  /// a part of the network made of them).
  Tensor operator()(const Tensor& host);

 private:
  struct Slot {
    std::unique_ptr<PinnedMemory> pinned;
    Tensor device;                     // u8 or f32, as the batch
    std::unique_ptr<CudaMark> copied;  // on the copy stream
    std::unique_ptr<CudaMark> read;    // on the compute stream
  };

  Device device_;
  Tensor mean_, stddev_;
  std::array<Slot, 2> slots_;
  std::size_t next_ = 0;
};

}  // namespace hanok::training
#pragma GCC visibility pop
