// Converts a window into a file's bytes (logical sizes, any strides) to a tensor in hanok's memory
// order, and back to logical order for writing.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "hanok/engine/tensor.h"
#include "hanok/weights/mapped_file.h"

namespace hanok::weights {

/// The elements of a tensor in a file.
struct TensorWindow {
  Bytes bytes;                        // bytes that contain the elements
  std::int64_t offset = 0;            // elements before the first one
  std::vector<std::int64_t> sizes;    // logical
  std::vector<std::int64_t> strides;  // elements, logical dimensions
  DType dtype = DType::F32;
};

/// Row-major strides of these sizes. Throws FormatError (`where` first) for negative sizes, too
/// many dimensions, or a product beyond 63 bits.
std::vector<std::int64_t> checked_row_major(const std::string& where,
                                            const std::vector<std::int64_t>& sizes);

/// The tensor: borrowed from the mapping if its elements are contiguous there, aligned and in
/// hanok's memory order; else a copy. Throws FormatError (`where` first) if it exceeds the bytes.
/// `owner` keeps the bytes alive.
Tensor to_tensor(const TensorWindow& window, const std::string& where,
                 std::shared_ptr<const void> owner);

/// Copies the elements of a CPU tensor in logical row-major order to `out`, tensor.bytes() of them.
void copy_logical_order(const Tensor& tensor, unsigned char* out);

}  // namespace hanok::weights
