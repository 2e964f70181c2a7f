// Host operands of one call and their copies on the device.
#pragma once

#include <algorithm>
#include <cstddef>
#include <map>

#include "hanok/kernels/base/error.h"
#include "hanok/kernels/base/view.h"
#include "hanok/kernels/cuda_runtime.h"
#include "hanok/kernels/exec_context.h"

namespace hanok::test {

inline void* device_memory(std::size_t bytes) {
  void* memory = cuda_runtime()->allocate(0, std::max<std::size_t>(bytes, 1));
  if (memory == nullptr) throw OutOfMemory(bytes, 0, 0);
  return memory;
}

/// The context of a call on the device: scratch is device memory, work goes to the compute stream.
class StagedContext {
 public:
  explicit StagedContext(ExecContext& host)
      : workspace_(device_memory,
                   [](void* memory, std::size_t) { cuda_runtime()->release(0, memory); }),
        context_{host.pool, workspace_, cuda_runtime()->stream(0, CudaRuntime::Stream::Compute)} {}
  operator ExecContext&() { return context_; }

 private:
  Workspace workspace_;
  ExecContext context_;
};

class Staging {
 public:
  Staging() = default;
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;
  ~Staging() {
    for (const auto& [host, buffer] : buffers_) cuda_runtime()->release(0, buffer.device);
  }

  /// The view's copy on the device; brought back at the end if it is a `result`.
  template <typename SomeView>
  SomeView stage(SomeView view, bool result) {
    view.data = copy(view.data, bytes_of(view), result);
    return view;
  }

  /// Waits for the device and brings results back. Throws what went wrong there.
  void finish() {
    synchronize();
    for (const auto& [host, buffer] : buffers_) {
      if (!buffer.result || buffer.bytes == 0) continue;
      cuda_runtime()->copy(0, CudaRuntime::Stream::Compute, CudaRuntime::Copy::DeviceToHost,
                           const_cast<void*>(host), buffer.device, buffer.bytes);
    }
    synchronize();
  }

 private:
  struct Buffer {
    void* device = nullptr;
    std::size_t bytes = 0;
    bool result = false;
  };

  static void synchronize() { cuda_runtime()->synchronize(0, CudaRuntime::Stream::Compute); }
  static std::size_t bytes(DType dtype, std::int64_t elements) {
    return size_of(dtype) * static_cast<std::size_t>(elements);
  }
  static std::size_t bytes_of(const ConstView& view) { return bytes(view.dtype, view.numel()); }
  static std::size_t bytes_of(const StridedConstView& view) {
    std::int64_t last = 0;
    for (int dim = 0; dim < view.sizes.rank(); ++dim) {
      if (view.sizes[dim] == 0) return 0;
      last += (view.sizes[dim] - 1) * view.strides[dim];
    }
    return bytes(view.dtype, last + 1);
  }

  void* copy(const void* host, std::size_t size, bool result) {
    if (host == nullptr) return nullptr;
    Buffer& buffer = buffers_[host];
    buffer.result = buffer.result || result;
    if (buffer.device == nullptr || buffer.bytes < size) {
      if (buffer.device != nullptr) cuda_runtime()->release(0, buffer.device);
      buffer.bytes = size;
      buffer.device = device_memory(size);
      if (size > 0) {
        cuda_runtime()->copy(0, CudaRuntime::Stream::Compute, CudaRuntime::Copy::HostToDevice,
                             buffer.device, host, size);
      }
    }
    return buffer.device;
  }

  std::map<const void*, Buffer> buffers_;
};

}  // namespace hanok::test
