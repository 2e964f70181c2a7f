#include "hanok/weights/tensor_window.h"

#include <cstring>
#include <fmt/core.h>
#include <fmt/ranges.h>
#include <limits>
#include <utility>

#include "hanok/kernels/base/error.h"

namespace hanok::weights {
namespace {

/// One loop of a copy: `count` steps with these strides in elements.
struct Loop {
  std::int64_t count, source_stride, target_stride;
};

template <typename T>
void copy_loops(const T* source, T* target, const std::vector<Loop>& loops, std::size_t depth) {
  const Loop& loop = loops[depth];
  if (depth + 1 == loops.size()) {
    for (std::int64_t i = 0; i < loop.count; ++i) {
      target[i * loop.target_stride] = source[i * loop.source_stride];
    }
    return;
  }
  for (std::int64_t i = 0; i < loop.count; ++i) {
    copy_loops(source + i * loop.source_stride, target + i * loop.target_stride, loops, depth + 1);
  }
}

/// Elements at any address: copied by memcpy, which compilers turn into one move.
template <std::size_t size>
struct Element {
  unsigned char bytes[size];
};

void copy_elements(const void* source, void* target, std::vector<Loop> loops, DType dtype) {
  if (loops.empty()) loops.push_back({1, 1, 1});
  const auto run = [&](auto element) {
    using T = decltype(element);
    copy_loops(static_cast<const T*>(source), static_cast<T*>(target), loops, 0);
  };
  switch (size_of(dtype)) {
    case 1:
      return run(Element<1>{});
    case 2:
      return run(Element<2>{});
    case 4:
      return run(Element<4>{});
    default:
      return run(Element<8>{});
  }
}

/// True if the window's elements are contiguous in the order of `dense`.
bool lies_densely(const TensorWindow& window, const Strides& dense) {
  for (std::size_t i = 0; i < window.sizes.size(); ++i) {
    if (window.sizes[i] != 1 && window.strides[i] != dense[static_cast<int>(i)]) return false;
  }
  return true;
}

/// Throws unless every element of the (non-empty) window is inside its bytes.
void check_extent(const TensorWindow& window, const std::string& where) {
  const auto available = static_cast<std::int64_t>(window.bytes.size() / size_of(window.dtype));
  bool overflow = window.offset < 0;
  std::int64_t last = window.offset;
  for (std::size_t i = 0; i < window.sizes.size(); ++i) {
    std::int64_t reach = 0;
    overflow = overflow || window.strides[i] < 0 ||
               __builtin_mul_overflow(window.sizes[i] - 1, window.strides[i], &reach) ||
               __builtin_add_overflow(last, reach, &last);
  }
  if (overflow || last >= available) {
    throw FormatError(fmt::format(
        "{}: sizes [{}], strides [{}] and offset {} reach outside its storage of {} elements",
        where, fmt::join(window.sizes, ","), fmt::join(window.strides, ","), window.offset,
        available));
  }
}

}  // namespace

std::vector<std::int64_t> checked_row_major(const std::string& where,
                                            const std::vector<std::int64_t>& sizes) {
  if (sizes.size() > static_cast<std::size_t>(kMaxRank)) {
    throw FormatError(fmt::format("{}: has {} dimensions; at most {} are supported", where,
                                  sizes.size(), kMaxRank));
  }
  std::vector<std::int64_t> strides(sizes.size());
  // Computed with empty dimensions as size 1, so that a zero does not hide an overflow; the limit
  // leaves room for the bytes of the widest element.
  std::int64_t numel = 1;
  for (std::size_t i = sizes.size(); i-- > 0;) {
    strides[i] = numel;
    if (sizes[i] < 0 ||
        __builtin_mul_overflow(numel, sizes[i] == 0 ? std::int64_t{1} : sizes[i], &numel) ||
        numel > std::numeric_limits<std::int64_t>::max() / 8) {
      throw FormatError(
          fmt::format("{}: shape [{}] is negative or too large", where, fmt::join(sizes, ",")));
    }
  }
  return strides;
}

Tensor to_tensor(const TensorWindow& window, const std::string& where,
                 std::shared_ptr<const void> owner) {
  checked_row_major(where, window.sizes);
  const Shape shape = Shape::from(window.sizes.data(), static_cast<int>(window.sizes.size()));
  const TensorOptions options{window.dtype, Device::cpu()};
  if (shape.numel() == 0) return Tensor::empty(shape, options);
  check_extent(window, where);

  const std::size_t element = size_of(window.dtype);
  const unsigned char* first =
      window.bytes.data() + static_cast<std::size_t>(window.offset) * element;
  const Strides dense = dense_strides(shape);
  const bool aligned = reinterpret_cast<std::uintptr_t>(first) % element == 0;
  const bool dense_already = lies_densely(window, dense);
  if (dense_already && aligned) return Tensor::borrow(first, shape, window.dtype, std::move(owner));

  Tensor result = Tensor::empty(shape, options);
  void* target = result.mutable_view().data;
  if (dense_already) {
    std::memcpy(target, first, result.bytes());
    return result;
  }
  // Loops run in the target's memory order, so that writes are sequential.
  std::vector<Loop> loops(window.sizes.size());
  for (int dim = 0; dim < shape.rank(); ++dim) {
    const auto i = static_cast<std::size_t>(dim);
    loops[static_cast<std::size_t>(physical_dim(shape.rank(), dim))] = {
        window.sizes[i], window.strides[i], dense[dim]};
  }
  copy_elements(first, target, std::move(loops), window.dtype);
  return result;
}

void copy_logical_order(const Tensor& tensor, unsigned char* out) {
  const Shape& shape = tensor.shape();
  if (shape.numel() == 0) return;
  if (shape.rank() != 4) {
    std::memcpy(out, tensor.view().data, tensor.bytes());
    return;
  }
  const Strides physical = dense_strides(shape);
  const Strides logical = row_major_strides(shape);
  std::vector<Loop> loops;
  for (int dim = 0; dim < 4; ++dim) loops.push_back({shape[dim], physical[dim], logical[dim]});
  copy_elements(tensor.view().data, out, std::move(loops), tensor.dtype());
}

}  // namespace hanok::weights
