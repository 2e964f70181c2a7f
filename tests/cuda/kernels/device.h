// What tests of single CUDA kernels need around a call: device memory, and an ExecContext on the
// compute stream of device 0. They run wherever cuda_runtime() is: on a GPU and in the emulator.
#pragma once

#include <cstdint>
#include <gtest/gtest.h>
#include <vector>

#include "hanok/kernels/base/error.h"
#include "hanok/kernels/cuda_runtime.h"
#include "hanok/kernels/exec_context.h"
#include "tests/kernels/kernel_context.h"

namespace hanok::test {

/// `count` elements on device 0. It waits for the compute stream before it copies or frees.
class DeviceMemory {
 public:
  explicit DeviceMemory(std::size_t bytes) : bytes_(bytes) {
    if (bytes_ == 0) return;
    data_ = cuda_runtime()->allocate(0, bytes_);
    if (data_ == nullptr) throw OutOfMemory(bytes_, 0, 0);
  }
  ~DeviceMemory() {
    if (data_ != nullptr) cuda_runtime()->release(0, data_);
  }
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;
  void* data() const { return data_; }
  void upload(const void* from) const { copy(CudaRuntime::Copy::HostToDevice, data_, from); }
  void download(void* to) const { copy(CudaRuntime::Copy::DeviceToHost, to, data_); }

 private:
  void copy(CudaRuntime::Copy direction, void* to, const void* from) const {
    if (bytes_ == 0) return;
    cuda_runtime()->copy(0, CudaRuntime::Stream::Compute, direction, to, from, bytes_);
    cuda_runtime()->synchronize(0, CudaRuntime::Stream::Compute);
  }
  std::size_t bytes_;
  void* data_ = nullptr;
};

/// A copy of `values` on the device.
template <typename T>
class DeviceArray {
 public:
  explicit DeviceArray(const std::vector<T>& values, DType dtype = dtype_of<T>())
      : size_(values.size()), dtype_(dtype), memory_(values.size() * sizeof(T)) {
    memory_.upload(values.data());
  }
  View view(const Shape& shape) const { return {memory_.data(), dtype_, shape}; }
  View view() const { return view({static_cast<std::int64_t>(size_)}); }
  std::vector<T> values() const {
    std::vector<T> result(size_);
    memory_.download(result.data());
    return result;
  }

 private:
  std::size_t size_;
  DType dtype_;
  DeviceMemory memory_;
};

/// An ExecContext on the device.
class DeviceContext {
 public:
  operator ExecContext&() { return context_; }
  Workspace& workspace() { return workspace_; }

 private:
  static void* acquire(std::size_t bytes) {
    void* memory = cuda_runtime()->allocate(0, bytes);
    if (memory == nullptr) throw OutOfMemory(bytes, 0, 0);
    return memory;
  }
  ThreadPool pool_{1};
  Workspace workspace_{acquire,
                       [](void* memory, std::size_t) { cuda_runtime()->release(0, memory); }};
  ExecContext context_{pool_, workspace_, cuda_runtime()->stream(0, CudaRuntime::Stream::Compute)};
};

/// Skips where there is no device (a build without CUDA never has these tests).
class OnDevice : public ::testing::Test {
 protected:
  void SetUp() override {
    try {
      cuda_runtime()->devices();
    } catch (const DeviceError& error) {
      GTEST_SKIP() << error.what();
    }
  }
};

}  // namespace hanok::test
