// Arrays on the device whose type is chosen at run time: f32, f16 or bf16, seen as floats.
#pragma once

#include <cstdint>
#include <cstring>
#include <vector>

#include "hanok/kernels/base/half.h"
#include "tests/cuda/kernels/device.h"

namespace hanok::test {

/// Each value as that type holds it.
inline std::vector<float> rounded_to(DType dtype, std::vector<float> values) {
  for (float& x : values) {
    if (dtype == DType::F16) x = to_float(to_f16(x));
    if (dtype == DType::BF16) x = to_float(to_bf16(x));
  }
  return values;
}

class HalfArray {
 public:
  HalfArray(DType dtype, const std::vector<float>& values)
      : dtype_(dtype), size_(values.size()), memory_(values.size() * size_of(dtype)) {
    if (dtype == DType::F32) {
      memory_.upload(values.data());
      return;
    }
    std::vector<std::uint16_t> bits;
    for (const float x : values) {
      bits.push_back(dtype == DType::F16 ? to_f16(x).bits : to_bf16(x).bits);
    }
    memory_.upload(bits.data());
  }
  View view(const Shape& shape) const { return {memory_.data(), dtype_, shape}; }
  View view() const { return view({static_cast<std::int64_t>(size_)}); }
  std::vector<float> values() const {
    std::vector<float> result(size_);
    if (dtype_ == DType::F32) {
      memory_.download(result.data());
      return result;
    }
    std::vector<std::uint16_t> bits(size_);
    memory_.download(bits.data());
    for (std::size_t i = 0; i < size_; ++i) {
      result[i] = dtype_ == DType::F16 ? to_float(F16{bits[i]}) : to_float(BF16{bits[i]});
    }
    return result;
  }

 private:
  DType dtype_;
  std::size_t size_;
  DeviceMemory memory_;
};

}  // namespace hanok::test
