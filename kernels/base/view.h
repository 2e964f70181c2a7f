// Views: how kernels see a tensor. They own nothing.
#pragma once

#include "hanok/kernels/base/dtype.h"
#include "hanok/kernels/base/shape.h"

#pragma GCC visibility push(default)
namespace hanok {

/// Dense read-only elements. `shape` is logical; rank 4 is stored as N,H,W,C (see shape.h).
struct ConstView {
  const void* data = nullptr;
  DType dtype = DType::F32;
  Shape shape;

  bool defined() const { return data != nullptr; }
  std::int64_t numel() const { return shape.numel(); }
  template <typename T>
  const T* as() const {
    return static_cast<const T*>(data);
  }
  const float* f32() const { return as<float>(); }
};

/// Dense writable elements.
struct View {
  void* data = nullptr;
  DType dtype = DType::F32;
  Shape shape;

  bool defined() const { return data != nullptr; }
  std::int64_t numel() const { return shape.numel(); }
  template <typename T>
  T* as() const {
    return static_cast<T*>(data);
  }
  float* f32() const { return as<float>(); }
  operator ConstView() const { return {data, dtype, shape}; }  // NOLINT(*-explicit-*)
};

/// Strided elements for broadcasting (stride 0), permutations, slices and concatenation. `sizes`
/// and `strides` are in the same order, outermost first, chosen by the caller.
struct StridedConstView {
  const void* data = nullptr;
  DType dtype = DType::F32;
  Shape sizes;
  Strides strides;
};
struct StridedView {
  void* data = nullptr;
  DType dtype = DType::F32;
  Shape sizes;
  Strides strides;
  // NOLINTNEXTLINE(*-explicit-*): a writable view converts to a readable one
  operator StridedConstView() const { return {data, dtype, sizes, strides}; }
};

}  // namespace hanok
#pragma GCC visibility pop
