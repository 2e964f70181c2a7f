// A packet: the 16 bytes of a storage type that a thread moves with one instruction (4 floats or 8
// halves), as floats in registers; or one element, if rows do not allow packets. The width is a
// template parameter of the kernels that iterate over channels (columns.h, pool.cu).
#pragma once

#include <cstdint>
#include <string>

#include "hanok/kernels/base/view.h"
#include "hanok/kernels/cuda/ops/storage.h"
#include "hanok/kernels/cuda/runtime/launch.h"

namespace hanok::cuda {

/// kWidth adjacent elements as floats: one element, or the packet at a 16-byte aligned address.
template <int kWidth, typename T>
__device__ inline void load(const T* from, float (&to)[kWidth]) {
  static_assert(kWidth == 1 || kWidth == kPackOf<T>);
  load_floats(from, kWidth > 1, to);
}

template <int kWidth, typename T>
__device__ inline void store(const float (&from)[kWidth], T* to) {
  static_assert(kWidth == 1 || kWidth == kPackOf<T>);
  store_floats(from, kWidth > 1, to);
}

/// Whether rows of `row` elements can be read in packets from all of these addresses (null:
/// unused).
template <typename T, typename... Pointers>
bool packets_fit(std::int64_t row, const Pointers*... pointers) {
  return row % kPackOf<T> == 0 && aligned16(pointers...);
}

/// Throws DTypeError unless the view is undefined or has this type.
inline void check_dtype(const char* op, const char* what, const ConstView& view, DType dtype) {
  if (view.defined() && view.dtype != dtype) {
    throw DTypeError(std::string(op) + ": " + what + " is " + name_of(view.dtype) + ", expected " +
                     name_of(dtype));
  }
}

}  // namespace hanok::cuda
