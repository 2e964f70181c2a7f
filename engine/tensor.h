// Tensor: a value-type handle to an n-dimensional array that can take part in a gradient graph.
//
// Copying a Tensor copies the handle; both then refer to the same array. Every tensor is dense.
// Rank 4 has the logical order N,C,H,W (or O,I,H,W) and is stored as N,H,W,C (O,H,W,I); other ranks
// are row-major. See kernels/base/shape.h.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "hanok/kernels/base/device.h"
#include "hanok/kernels/base/dtype.h"
#include "hanok/kernels/base/shape.h"
#include "hanok/kernels/base/view.h"

#pragma GCC visibility push(default)
namespace hanok {

class Node;
class Storage;
struct TensorImpl;

/// Element type and place of a new tensor.
struct TensorOptions {
  DType dtype = DType::F32;
  Device device = Device::cpu();
};

class Tensor {
 public:
  /// An undefined tensor: "no bias", "no gradient".
  Tensor() = default;

  /// Uninitialised elements. Throws ShapeError if the size in bytes overflows 63 bits.
  static Tensor empty(const Shape& shape, TensorOptions options = {});
  static Tensor zeros(const Shape& shape, TensorOptions options = {});
  static Tensor ones(const Shape& shape, TensorOptions options = {});
  static Tensor full(const Shape& shape, double value, TensorOptions options = {});
  /// From values in *logical* row-major order (NCHW for rank 4). Throws ShapeError if the count
  /// differs from shape.numel().
  static Tensor from_vector(const std::vector<float>& values, const Shape& shape);
  static Tensor from_vector(const std::vector<std::int64_t>& values, const Shape& shape);
  /// A tensor over bytes that are already in memory order and remain valid while `owner` lives.
  static Tensor borrow(const void* data, const Shape& shape, DType dtype,
                       std::shared_ptr<const void> owner);

  bool defined() const { return impl_ != nullptr; }
  const Shape& shape() const;
  int rank() const;
  /// Size of a dimension; negative `dim` counts from the end.
  std::int64_t size(int dim) const;
  std::int64_t numel() const;
  DType dtype() const;
  Device device() const;
  std::size_t bytes() const;

  /// Elements in memory order. Throws DTypeError if T is not this tensor's type and DeviceError if
  /// it is not on the CPU.
  template <typename T>
  const T* data() const {
    return static_cast<const T*>(checked_data(dtype_of<T>()));
  }
  /// The same for writing; the only way to write. Bumps the version shared by all views of the
  /// storage.
  template <typename T>
  T* mutable_data() {
    return static_cast<T*>(checked_mutable_data(dtype_of<T>()));
  }
  /// For kernels: any type, any device. `mutable_view` bumps the version.
  ConstView view() const;
  View mutable_view();
  std::uint64_t version() const;
  const std::shared_ptr<Storage>& storage() const;
  /// Elements before this tensor's first one in its storage.
  std::int64_t storage_offset() const;

  /// The one element of a tensor with one element (f32, f64, i64, u8), from any device.
  double item() const;
  /// All elements in *logical* row-major order, converted as by to(DType); from any device.
  std::vector<float> to_vector() const;
  std::vector<std::int64_t> to_int_vector() const;

  /// A copy on another device; this tensor itself if it is already there. Differentiable.
  Tensor to(Device device) const;
  /// A copy of another type; this tensor itself if it already has it. To floats: rounded to nearest
  /// even. From floats to integers: towards zero, as in C++; NaN becomes 0, and what is beyond the
  /// type's range its nearest end; so does an i64 in u8. Differentiable to floats (rounding counts
  /// as the identity); integers are outside the graph.
  Tensor to(DType dtype) const;
  /// The same elements, outside the graph.
  Tensor detach() const;
  /// A copy of the elements. Differentiable; outside the graph: detach().clone().
  Tensor clone() const;
  /// Overwrites the elements with those of `source` (same shape and type). Outside the graph.
  void copy_from(const Tensor& source);
  /// Makes this handle's implementation refer to `other`'s storage (same shape and type; any
  /// device): its identity and all other handles remain valid. `to()`, `load_state_dict` and EMA
  /// change a parameter this way.
  void swap_contents(const Tensor& other);

  // ---- autograd ----
  bool requires_grad() const;
  /// Only on leaves; f32 only.
  Tensor& set_requires_grad(bool value);
  /// True if no op in the graph made this tensor.
  bool is_leaf() const;
  /// Accumulated gradient of a leaf; undefined before the first backward.
  Tensor grad() const;
  /// Replaces the gradient; undefined removes it. Throws ShapeError unless shape and type are this
  /// tensor's, DeviceError for another device.
  void set_grad(const Tensor& grad);
  /// Removes the gradient.
  void zero_grad();
  /// Runs the backward pass from here. `gradient`, of this tensor's shape, type and device, may be
  /// omitted for a tensor of one element (then 1). A graph can be run only once, even if an error
  /// ended the pass; repeat the forward pass to record a new one. (Ops that save nothing may belong
  /// to several graphs.) Leaves whose requires_grad was switched off since the forward pass get no
  /// gradient. For several threads see autograd.h.
  void backward(const Tensor& gradient = {}) const;
  /// Called with the leaf's gradient once it is complete in a backward pass.
  void register_grad_hook(std::function<void(const Tensor& grad)> hook);

  /// Identity: two handles to the same array are equal.
  const TensorImpl* id() const { return impl_.get(); }

  /// "Tensor f32 [2,3] cpu"
  std::string to_string() const;

  // For engine code.
  TensorImpl& impl() const { return *impl_; }
  const std::shared_ptr<TensorImpl>& impl_pointer() const { return impl_; }
  static Tensor from_impl(std::shared_ptr<TensorImpl> impl);
  /// A tensor over part of `storage`, outside the graph.
  static Tensor wrap(std::shared_ptr<Storage> storage, std::int64_t offset, const Shape& shape,
                     DType dtype);

 private:
  const void* checked_data(DType wanted) const;
  void* checked_mutable_data(DType wanted);
  std::shared_ptr<TensorImpl> impl_;
};

/// Prints up to a few hundred values with shape and type.
std::ostream& operator<<(std::ostream& out, const Tensor& tensor);

}  // namespace hanok
#pragma GCC visibility pop
