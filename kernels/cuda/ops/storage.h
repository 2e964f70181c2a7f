// How kernels load and store activations: f32, f16 or bf16 in memory, always f32 in registers, 16
// bytes per load if addresses allow it (a warp then fills four 128-byte lines with one
// instruction).
#pragma once

#include <cstdint>
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <string>

#include "hanok/kernels/base/dtype.h"
#include "hanok/kernels/base/error.h"
#include "hanok/kernels/base/host_device.h"
#include "hanok/kernels/cuda/runtime/cuda.h"

namespace hanok::cuda {

// ---- one element ----

HANOK_HOST_DEVICE inline float to_float(float x) { return x; }
HANOK_HOST_DEVICE inline float to_float(__half x) { return __half2float(x); }
HANOK_HOST_DEVICE inline float to_float(__nv_bfloat16 x) { return __bfloat162float(x); }

/// Rounds to nearest, ties to even.
template <typename T>
HANOK_HOST_DEVICE T from_float(float x);
template <>
HANOK_HOST_DEVICE inline float from_float<float>(float x) {
  return x;
}
template <>
HANOK_HOST_DEVICE inline __half from_float<__half>(float x) {
  return __float2half_rn(x);
}
template <>
HANOK_HOST_DEVICE inline __nv_bfloat16 from_float<__nv_bfloat16>(float x) {
  return __float2bfloat16_rn(x);
}

// ---- adjacent elements ----

/// `count` elements that one instruction loads or stores; at most 16 bytes.
template <typename T, int count>
struct alignas(sizeof(T) * count) Pack {
  T values[count];
};

/// Elements of T in 16 bytes.
template <typename T>
inline constexpr int kPackOf = 16 / static_cast<int>(sizeof(T));

/// Loads x[0..count). `packed`: x is aligned to 16 bytes (or to count elements, if these are fewer
/// bytes); else one load per element.
template <int count, typename T>
__device__ void load_elements(const T* x, bool packed, T (&values)[count]) {
  if (packed) {
    constexpr int kEach = count < kPackOf<T> ? count : kPackOf<T>;
    for (int i = 0; i < count; i += kEach) {
      const auto pack = *reinterpret_cast<const Pack<T, kEach>*>(x + i);
      for (int j = 0; j < kEach; ++j) values[i + j] = pack.values[j];
    }
  } else {
    for (int i = 0; i < count; ++i) values[i] = x[i];
  }
}

/// The same for stores.
template <int count, typename T>
__device__ void store_elements(const T (&values)[count], bool packed, T* y) {
  if (packed) {
    constexpr int kEach = count < kPackOf<T> ? count : kPackOf<T>;
    for (int i = 0; i < count; i += kEach) {
      Pack<T, kEach> pack;
      for (int j = 0; j < kEach; ++j) pack.values[j] = values[i + j];
      *reinterpret_cast<Pack<T, kEach>*>(y + i) = pack;
    }
  } else {
    for (int i = 0; i < count; ++i) y[i] = values[i];
  }
}

/// load_elements as floats.
template <int count, typename T>
__device__ void load_floats(const T* x, bool packed, float (&values)[count]) {
  T stored[count];
  load_elements(x, packed, stored);
  for (int i = 0; i < count; ++i) values[i] = to_float(stored[i]);
}

/// store_elements of floats, rounded.
template <int count, typename T>
__device__ void store_floats(const float (&values)[count], bool packed, T* y) {
  T stored[count];
  for (int i = 0; i < count; ++i) stored[i] = from_float<T>(values[i]);
  store_elements(stored, packed, y);
}

/// The same if only the first `exist` elements exist: the others are 0, or not stored.
template <int count, typename T>
__device__ void load_some(const T* x, bool packed, int exist, float (&values)[count]) {
  if (exist == count) return load_floats(x, packed, values);
  for (int i = 0; i < count; ++i) values[i] = i < exist ? to_float(x[i]) : 0.0F;
}
template <int count, typename T>
__device__ void store_some(const float (&values)[count], bool packed, int exist, T* y) {
  if (exist == count) return store_floats(values, packed, y);
  for (int i = 0; i < count; ++i) {
    if (i < exist) y[i] = from_float<T>(values[i]);
  }
}

// ---- on the host: what to launch ----

/// Whether each pointer is a multiple of 16.
template <typename... Pointers>
bool aligned16(const Pointers*... pointers) {
  return ((reinterpret_cast<std::uintptr_t>(pointers) | ... | 0U) % 16) == 0;
}

/// The number of blocks for `items` with `per_block` items each. CUDA rejects a launch of 0 blocks,
/// so callers return before.
inline dim3 grid_for(std::int64_t items, std::int64_t per_block) {
  return dim3(static_cast<unsigned>((items + per_block - 1) / per_block));
}

/// The thread's index in a one-dimensional grid.
__device__ inline std::int64_t thread_number() {
  return static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}

template <typename T>
struct Type {
  using type = T;
};

/// Calls function(Type<T>{}) with T = float, __half or __nv_bfloat16. Throws DTypeError for others.
template <typename Function>
void with_storage(const char* op, DType dtype, const Function& function) {
  switch (dtype) {
    case DType::F32:
      return function(Type<float>{});
    case DType::F16:
      return function(Type<__half>{});
    case DType::BF16:
      return function(Type<__nv_bfloat16>{});
    default:
      throw DTypeError(std::string(op) + ": CUDA computes this in f32, f16 or bf16, not in " +
                       name_of(dtype));
  }
}

}  // namespace hanok::cuda
