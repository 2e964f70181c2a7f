// Host operands of one call and their copies on the device.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cuda_runtime.h>
#include <map>

#include "kernels/base/view.h"
#include "kernels/cuda/cuda.h"
#include "kernels/exec_context.h"

namespace hanok::test {

/// The context of a call on the device: scratch is device memory, the stream is the default one.
class DeviceContext {
 public:
  explicit DeviceContext(ExecContext& host)
      : workspace_(
            [](std::size_t bytes) {
              void* memory = nullptr;
              cuda::check(cudaMalloc(&memory, bytes), "cudaMalloc");
              return memory;
            },
            [](void* memory, std::size_t) { cudaFree(memory); }),
        context_{host.pool, workspace_, nullptr} {}
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
    for (const auto& [host, buffer] : buffers_) cudaFree(buffer.device);
  }

  ConstView in(ConstView view) {
    view.data = copy(view.data, bytes_of(view), false);
    return view;
  }
  View out(View view) {
    view.data = copy(view.data, bytes_of(view), true);
    return view;
  }
  StridedConstView in(StridedConstView view) {
    view.data = copy(view.data, bytes_of(view), false);
    return view;
  }
  StridedView out(StridedView view) {
    view.data = copy(view.data, bytes_of(view), true);
    return view;
  }
  /// Where the view's shape does not say how much memory it covers.
  ConstView in(ConstView view, std::int64_t elements) {
    view.data = copy(view.data, bytes(view.dtype, elements), false);
    return view;
  }
  View out(View view, std::int64_t elements) {
    view.data = copy(view.data, bytes(view.dtype, elements), true);
    return view;
  }

  /// Waits for the device and brings results back. Throws what went wrong there.
  void finish() {
    cuda::check(cudaDeviceSynchronize(), "kernel");
    for (const auto& [host, buffer] : buffers_) {
      if (!buffer.result || buffer.bytes == 0) continue;
      cuda::check(
          cudaMemcpy(const_cast<void*>(host), buffer.device, buffer.bytes, cudaMemcpyDeviceToHost),
          "cudaMemcpy");
    }
  }

 private:
  struct Buffer {
    void* device = nullptr;
    std::size_t bytes = 0;
    bool result = false;
  };

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
      cudaFree(buffer.device);
      buffer.bytes = size;
      cuda::check(cudaMalloc(&buffer.device, std::max<std::size_t>(size, 1)), "cudaMalloc");
      if (size > 0) {
        cuda::check(cudaMemcpy(buffer.device, host, size, cudaMemcpyHostToDevice), "cudaMemcpy");
      }
    }
    return buffer.device;
  }

  std::map<const void*, Buffer> buffers_;
};

}  // namespace hanok::test
