// Memory of the first CUDA device (or of the stand-in), and the context of a kernel call.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "hanok/kernels/base/error.h"
#include "hanok/kernels/base/half.h"
#include "hanok/kernels/cuda_runtime.h"

namespace hanok::test {

/// The first device's backend with its scratch memory and compute stream.
class CudaContext {
 public:
  CudaContext()
      : pool_(1),
        workspace_([](std::size_t n) { return cuda_runtime()->allocate(0, n); },
                   [](void* p, std::size_t) { cuda_runtime()->release(0, p); }),
        backend_(cuda_runtime()->make_backend(0)) {
    context_.stream = cuda_runtime()->stream(0, CudaRuntime::Stream::Compute);
  }
  ~CudaContext() { cuda_runtime()->synchronize(0, CudaRuntime::Stream::Compute); }
  CudaContext(const CudaContext&) = delete;
  CudaContext& operator=(const CudaContext&) = delete;

  operator ExecContext&() { return context_; }
  Backend& backend() { return *backend_; }

 private:
  ThreadPool pool_;
  Workspace workspace_;
  ExecContext context_{pool_, workspace_};
  std::unique_ptr<Backend> backend_;
};

/// Whether this program has a CUDA backend and a device.
inline bool cuda_is_here() {
  if (cuda_runtime() == nullptr) return false;
  try {
    return !cuda_runtime()->devices().empty();
  } catch (const DeviceError&) {
    return false;
  }
}

/// Bytes on the device, starting `offset` bytes into their allocation, to test unaligned memory.
class DeviceBytes {
 public:
  explicit DeviceBytes(const std::vector<std::uint8_t>& content, std::size_t offset = 0)
      : size_(content.size()), offset_(offset) {
    base_ = static_cast<char*>(cuda_runtime()->allocate(0, size_ + offset + 1));
    if (base_ == nullptr) throw OutOfMemory(size_, 0, 0);
    cuda_runtime()->copy(0, CudaRuntime::Stream::Compute, CudaRuntime::Copy::HostToDevice, data(),
                         content.data(), size_);
  }
  ~DeviceBytes() {
    cuda_runtime()->synchronize(0, CudaRuntime::Stream::Compute);
    cuda_runtime()->release(0, base_);
  }
  DeviceBytes(const DeviceBytes&) = delete;
  DeviceBytes& operator=(const DeviceBytes&) = delete;

  void* data() const { return base_ + offset_; }
  std::vector<std::uint8_t> download() const {
    std::vector<std::uint8_t> content(size_);
    cuda_runtime()->copy(0, CudaRuntime::Stream::Compute, CudaRuntime::Copy::DeviceToHost,
                         content.data(), data(), size_);
    cuda_runtime()->synchronize(0, CudaRuntime::Stream::Compute);
    return content;
  }

 private:
  std::size_t size_, offset_;
  char* base_ = nullptr;
};

/// Converts numbers to and from their representation in memory.
inline std::vector<std::uint8_t> encode(const std::vector<double>& values, DType dtype) {
  std::vector<std::uint8_t> bytes(values.size() * size_of(dtype));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto put = [&](auto x) { std::memcpy(bytes.data() + i * sizeof x, &x, sizeof x); };
    switch (dtype) {
      case DType::F32:
        put(static_cast<float>(values[i]));
        break;
      case DType::F64:
        put(values[i]);
        break;
      case DType::F16:
        put(to_f16(to_float_odd(values[i])));
        break;
      case DType::BF16:
        put(to_bf16(to_float_odd(values[i])));
        break;
      case DType::U8:
        put(static_cast<std::uint8_t>(values[i]));
        break;
      case DType::I64:
        put(static_cast<std::int64_t>(values[i]));
        break;
    }
  }
  return bytes;
}
inline std::vector<double> decode(const std::vector<std::uint8_t>& bytes, DType dtype) {
  std::vector<double> values(bytes.size() / size_of(dtype));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto get = [&](auto x) {
      std::memcpy(&x, bytes.data() + i * sizeof x, sizeof x);
      return x;
    };
    switch (dtype) {
      case DType::F32:
        values[i] = static_cast<double>(get(0.0F));
        break;
      case DType::F64:
        values[i] = get(0.0);
        break;
      case DType::F16:
        values[i] = static_cast<double>(to_float(get(F16{})));
        break;
      case DType::BF16:
        values[i] = static_cast<double>(to_float(get(BF16{})));
        break;
      case DType::U8:
        values[i] = static_cast<double>(get(std::uint8_t{}));
        break;
      case DType::I64:
        values[i] = static_cast<double>(get(std::int64_t{}));
        break;
    }
  }
  return values;
}

/// A dense array on the device; `values` reads it back.
class DeviceArray {
 public:
  /// `shift`: offset in elements from the allocation's alignment.
  DeviceArray(const std::vector<double>& values, DType dtype, std::size_t shift = 0)
      : dtype_(dtype),
        count_(static_cast<std::int64_t>(values.size())),
        bytes_(encode(values, dtype), shift * size_of(dtype)) {}

  View view() const { return view(Shape{count_}); }
  View view(const Shape& shape) const { return {bytes_.data(), dtype_, shape}; }
  StridedConstView strided(const Shape& sizes, const Strides& strides) const {
    return {bytes_.data(), dtype_, sizes, strides};
  }
  std::vector<double> values() const { return decode(bytes_.download(), dtype_); }

 private:
  DType dtype_;
  std::int64_t count_;
  DeviceBytes bytes_;
};

}  // namespace hanok::test
