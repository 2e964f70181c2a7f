// Storage types and 16-byte accesses. Arithmetic is f32 whatever the storage; a packet is the 16
// bytes that one thread moves with one instruction (4 floats or 8 halves), the width at which a
// warp's accesses reach the memory's full bandwidth.
#pragma once

#include <cstdint>
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <string>

#include "kernels/base/error.h"
#include "kernels/base/view.h"
#include "kernels/cuda/launch.h"

namespace hanok::cuda {

/// Elements of 16 bytes.
template <typename T>
inline constexpr int kPacket = static_cast<int>(16 / sizeof(T));

__device__ inline float to_float(float x) { return x; }
__device__ inline float to_float(__half x) { return __half2float(x); }
__device__ inline float to_float(__nv_bfloat16 x) { return __bfloat162float(x); }

/// Rounded to nearest even.
__device__ inline void from_float(float x, float& to) { to = x; }
__device__ inline void from_float(float x, __half& to) { to = __float2half_rn(x); }
__device__ inline void from_float(float x, __nv_bfloat16& to) { to = __float2bfloat16_rn(x); }

/// kWidth neighbouring elements as floats: one element, or the packet at an address of 16 bytes.
template <int kWidth, typename T>
__device__ inline void load(const T* from, float (&to)[kWidth]) {
  static_assert(kWidth == 1 || kWidth == kPacket<T>);
  if constexpr (kWidth == 1) {
    to[0] = to_float(*from);
  } else {
    alignas(16) T values[kWidth];
    *reinterpret_cast<uint4*>(values) = *reinterpret_cast<const uint4*>(from);
    for (int i = 0; i < kWidth; ++i) to[i] = to_float(values[i]);
  }
}

template <int kWidth, typename T>
__device__ inline void store(const float (&from)[kWidth], T* to) {
  static_assert(kWidth == 1 || kWidth == kPacket<T>);
  if constexpr (kWidth == 1) {
    from_float(from[0], *to);
  } else {
    alignas(16) T values[kWidth];
    for (int i = 0; i < kWidth; ++i) from_float(from[i], values[i]);
    *reinterpret_cast<uint4*>(to) = *reinterpret_cast<const uint4*>(values);
  }
}

/// Whether rows of `row` elements can be read in packets from all of these addresses (null: not
/// read).
template <typename T, typename... Pointers>
bool packets_fit(std::int64_t row, const Pointers*... pointers) {
  const std::uintptr_t bits = (reinterpret_cast<std::uintptr_t>(pointers) | ... | 0U);
  return row % kPacket<T> == 0 && bits % 16 == 0;
}

/// Calls f with a value of the storage type: f(float{}), f(__half{}) or f(__nv_bfloat16{}).
template <typename F>
void with_storage(const char* op, DType dtype, const F& f) {
  switch (dtype) {
    case DType::F32:
      return f(float{});
    case DType::F16:
      return f(__half{});
    case DType::BF16:
      return f(__nv_bfloat16{});
    default:
      throw DTypeError(std::string(op) + ": " + name_of(dtype) +
                       " is not supported, expected f32, f16 or bf16");
  }
}

/// Throws DTypeError unless the view is undefined or has this type.
inline void check_dtype(const char* op, const char* what, const ConstView& view, DType dtype) {
  if (view.defined() && view.dtype != dtype) {
    throw DTypeError(std::string(op) + ": " + what + " is " + name_of(view.dtype) + ", expected " +
                     name_of(dtype));
  }
}

}  // namespace hanok::cuda
