#include "hanok/engine/tensor.h"

#include <algorithm>
#include <cstring>
#include <ostream>
#include <sstream>
#include <utility>

#include "hanok/engine/device_copy.h"
#include "hanok/engine/runtime.h"
#include "hanok/engine/storage.h"
#include "hanok/engine/tensor_impl.h"
#include "hanok/kernels/base/error.h"

namespace hanok {
namespace {

const TensorImpl& require_defined(const std::shared_ptr<TensorImpl>& impl, const char* what) {
  if (impl == nullptr) throw ValueError(std::string(what) + ": the tensor is undefined");
  return *impl;
}

/// Calls visit(logical row-major index, offset in memory) for each element.
template <typename Visit>
void for_each_element(const Shape& shape, const Visit& visit) {
  const std::int64_t count = shape.numel();
  if (shape.rank() != 4) {
    for (std::int64_t i = 0; i < count; ++i) visit(i, i);
    return;
  }
  const Strides strides = dense_strides(shape);
  std::int64_t logical = 0;
  for (std::int64_t n = 0; n < shape[0]; ++n) {
    for (std::int64_t c = 0; c < shape[1]; ++c) {
      for (std::int64_t h = 0; h < shape[2]; ++h) {
        for (std::int64_t w = 0; w < shape[3]; ++w) {
          visit(logical++, n * strides[0] + c * strides[1] + h * strides[2] + w * strides[3]);
        }
      }
    }
  }
}

/// Bytes of a tensor. Throws ShapeError if they, or the product of the sizes other than 0, do not
/// fit into 63 bits.
std::size_t checked_bytes(const Shape& shape, DType dtype) {
  auto bytes = static_cast<std::int64_t>(size_of(dtype));
  bool empty = false;
  for (const std::int64_t size : shape) {
    empty = empty || size == 0;
    if (size != 0 && __builtin_mul_overflow(bytes, size, &bytes)) {
      throw ShapeError("Tensor: shape " + shape.to_string() + " of " + name_of(dtype) +
                       " has more bytes than memory has addresses");
    }
  }
  return empty ? 0 : static_cast<std::size_t>(bytes);
}

template <typename T>
Tensor tensor_from_vector(const std::vector<T>& values, const Shape& shape) {
  if (static_cast<std::int64_t>(values.size()) != shape.numel()) {
    throw ShapeError("from_vector: " + std::to_string(values.size()) +
                     " values do not fill shape " + shape.to_string());
  }
  Tensor result = Tensor::empty(shape, {dtype_of<T>()});
  T* out = result.mutable_data<T>();
  for_each_element(shape, [&](std::int64_t logical, std::int64_t memory) {
    out[memory] = values[static_cast<std::size_t>(logical)];
  });
  return result;
}

template <typename T>
std::vector<T> vector_from_tensor(const Tensor& tensor) {
  const Tensor host = tensor.detach().to(Device::cpu()).to(dtype_of<T>());
  const T* in = host.data<T>();
  std::vector<T> values(static_cast<std::size_t>(host.numel()));
  for_each_element(host.shape(), [&](std::int64_t logical, std::int64_t memory) {
    values[static_cast<std::size_t>(logical)] = in[memory];
  });
  return values;
}

}  // namespace

Tensor Tensor::empty(const Shape& shape, TensorOptions options) {
  return wrap(std::make_shared<Storage>(checked_bytes(shape, options.dtype), options.device), 0,
              shape, options.dtype);
}

Tensor Tensor::zeros(const Shape& shape, TensorOptions options) { return full(shape, 0, options); }
Tensor Tensor::ones(const Shape& shape, TensorOptions options) { return full(shape, 1, options); }

Tensor Tensor::full(const Shape& shape, double value, TensorOptions options) {
  Tensor result = empty(shape, options);
  run_on(options.device, Fill{result.mutable_view(), value});
  return result;
}

Tensor Tensor::from_vector(const std::vector<float>& values, const Shape& shape) {
  return tensor_from_vector(values, shape);
}
Tensor Tensor::from_vector(const std::vector<std::int64_t>& values, const Shape& shape) {
  return tensor_from_vector(values, shape);
}

Tensor Tensor::borrow(const void* data, const Shape& shape, DType dtype,
                      std::shared_ptr<const void> owner) {
  if (owner == nullptr) throw ValueError("Tensor::borrow: an owner of the memory is needed");
  const auto bytes = static_cast<std::size_t>(shape.numel()) * size_of(dtype);
  return wrap(std::make_shared<Storage>(data, bytes, std::move(owner)), 0, shape, dtype);
}

Tensor Tensor::wrap(std::shared_ptr<Storage> storage, std::int64_t offset, const Shape& shape,
                    DType dtype) {
  auto impl = std::make_shared<TensorImpl>();
  impl->storage = std::move(storage);
  impl->offset = offset;
  impl->shape = shape;
  impl->dtype = dtype;
  return from_impl(std::move(impl));
}

Tensor Tensor::from_impl(std::shared_ptr<TensorImpl> impl) {
  Tensor result;
  result.impl_ = std::move(impl);
  return result;
}

const Shape& Tensor::shape() const { return require_defined(impl_, "shape").shape; }
int Tensor::rank() const { return shape().rank(); }
std::int64_t Tensor::numel() const { return shape().numel(); }
DType Tensor::dtype() const { return require_defined(impl_, "dtype").dtype; }
Device Tensor::device() const { return require_defined(impl_, "device").storage->device(); }
std::size_t Tensor::bytes() const { return static_cast<std::size_t>(numel()) * size_of(dtype()); }

std::int64_t Tensor::size(int dim) const {
  const int wrapped = dim < 0 ? dim + rank() : dim;
  if (wrapped < 0 || wrapped >= rank()) {
    throw ShapeError("size: dimension " + std::to_string(dim) + " is out of range for shape " +
                     shape().to_string());
  }
  return shape()[wrapped];
}

ConstView Tensor::view() const {
  const TensorImpl& impl = require_defined(impl_, "view");
  const auto* base = static_cast<const char*>(impl.storage->data());
  return {base + static_cast<std::size_t>(impl.offset) * size_of(impl.dtype), impl.dtype,
          impl.shape};
}

View Tensor::mutable_view() {
  const TensorImpl& impl = require_defined(impl_, "mutable_view");
  if (impl.storage->read_only()) {
    throw ValueError("mutable_view: " + to_string() +
                     " borrows read-only memory (a mapped file); write to a clone()");
  }
  impl.storage->bump_version();
  auto* base = static_cast<char*>(impl.storage->data());
  return {base + static_cast<std::size_t>(impl.offset) * size_of(impl.dtype), impl.dtype,
          impl.shape};
}

const void* Tensor::checked_data(DType wanted) const {
  if (dtype() != wanted) {
    throw DTypeError(std::string("data: requested ") + name_of(wanted) + ", but this is " +
                     to_string());
  }
  if (!device().is_cpu()) throw DeviceError("data: " + to_string() + " is not on the CPU");
  return view().data;
}

void* Tensor::checked_mutable_data(DType wanted) {
  checked_data(wanted);
  return mutable_view().data;
}

std::uint64_t Tensor::version() const {
  return require_defined(impl_, "version").storage->version();
}
const std::shared_ptr<Storage>& Tensor::storage() const {
  return require_defined(impl_, "storage").storage;
}
std::int64_t Tensor::storage_offset() const {
  return require_defined(impl_, "storage_offset").offset;
}

double Tensor::item() const {
  if (numel() != 1) {
    throw ShapeError("item: expected one element, got shape " + shape().to_string());
  }
  const Tensor host = detach().to(Device::cpu());
  switch (host.dtype()) {
    case DType::F64:
      return *host.data<double>();
    case DType::I64:
      return static_cast<double>(*host.data<std::int64_t>());
    default:
      return host.to(DType::F32).data<float>()[0];
  }
}

std::vector<float> Tensor::to_vector() const { return vector_from_tensor<float>(*this); }
std::vector<std::int64_t> Tensor::to_int_vector() const {
  return vector_from_tensor<std::int64_t>(*this);
}

Tensor Tensor::detach() const {
  const TensorImpl& impl = require_defined(impl_, "detach");
  return wrap(impl.storage, impl.offset, impl.shape, impl.dtype);
}

void Tensor::copy_from(const Tensor& source) {
  if (source.shape() != shape() || source.dtype() != dtype()) {
    throw ShapeError("copy_from: cannot copy " + source.to_string() + " into " + to_string());
  }
  copy_bytes(device(), mutable_view().data, source.device(), source.view().data, bytes());
}

void Tensor::swap_contents(const Tensor& other) {
  require_defined(impl_, "swap_contents");
  if (other.shape() != shape() || other.dtype() != dtype()) {
    throw ShapeError("swap_contents: cannot put " + other.to_string() + " in place of " +
                     to_string());
  }
  impl_->storage = other.impl().storage;
  impl_->offset = other.impl().offset;
  impl_->packs.clear();
}

std::string Tensor::to_string() const {
  if (!defined()) return "Tensor (undefined)";
  return std::string("Tensor ") + name_of(dtype()) + " " + shape().to_string() + " " +
         device().to_string();
}

namespace {

template <typename T>
void print_values(std::ostream& out, const std::vector<T>& values, const Shape& shape, int dim,
                  std::size_t& next) {
  if (dim == shape.rank()) {
    out << values[next++];
    return;
  }
  out << '[';
  for (std::int64_t i = 0; i < shape[dim]; ++i) {
    if (i > 0) {
      out << (dim + 1 == shape.rank() ? ", " : ",\n" + std::string(std::size_t(dim) + 1, ' '));
    }
    print_values(out, values, shape, dim + 1, next);
  }
  out << ']';
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const Tensor& tensor) {
  constexpr std::int64_t kMaxPrinted = 400;
  if (!tensor.defined() || tensor.numel() > kMaxPrinted) return out << tensor.to_string();
  std::size_t next = 0;
  switch (tensor.dtype()) {
    case DType::I64:
    case DType::U8:
      print_values(out, tensor.to_int_vector(), tensor.shape(), 0, next);
      break;
    case DType::F64:
      print_values(out, vector_from_tensor<double>(tensor), tensor.shape(), 0, next);
      break;
    case DType::F32:
    case DType::F16:
    case DType::BF16:
      print_values(out, tensor.to_vector(), tensor.shape(), 0, next);
      break;
  }
  return out << "  (" << tensor.to_string() << ')';
}

}  // namespace hanok
