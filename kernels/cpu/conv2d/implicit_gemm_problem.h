// What the implicit matrix products of floats (implicit_gemm.cpp) and of integers
// (implicit_gemm_int16.cpp) share: the products that a pass is made of.
#pragma once

#include <cstdint>

#include "hanok/kernels/cpu/conv2d/driver.h"
#include "hanok/kernels/cpu/conv2d/patches.h"
#include "hanok/kernels/cpu/gemm.h"

namespace hanok::cpu::implicit_gemm {

/// One grid of output pixels times one group.
struct PatchGemm {
  PatchSource source;
  std::int64_t batch;
  std::int64_t k, columns;
  const float* packed;  // the group's weights, in panels of 16 columns
  float* out;           // at the grid's first pixel and the group's first channel
  std::int64_t image_stride, row_stride, pixel_stride;  // of the grid's pixels, in floats
  const TileEpilogue* epilogue;
  BlockMoments moments;  // at the group's first channel

  std::int64_t pixels() const { return batch * source.grid_h * source.grid_w; }
};

/// Whether the patch matrix is the image itself: 1x1, stride 1.
bool patches_are_the_image(const PatchSource& source);

/// Where the pixels [begin, begin + rows) of the grid lie in the output.
void fill_row_offsets(const PatchGemm& g, std::int64_t begin, std::int64_t rows,
                      std::int64_t* offsets);

/// Moments of rows [i, i + rows), whose columns [j, j + columns) have been stored, for batch norm.
void take_block_moments(const GemmKernels& kernels, const PatchGemm& g, std::int64_t i,
                        std::int64_t rows, std::int64_t j, std::int64_t columns);

/// How one kind of products is packed.
struct Packing {
  std::int64_t header_floats;                    // of a group's packed weights
  std::int64_t (*panel_floats)(std::int64_t k);  // of each panel behind the header

  std::int64_t group_floats(std::int64_t k, std::int64_t columns) const {
    return header_floats + divide_up(columns, kPanelColumns) * panel_floats(k);
  }
};

/// Computes one of a pass's products.
using Multiply = void (*)(ExecContext& context, const IsaKernels& kernels, const PatchGemm& g);

/// Terms of a patch.
inline std::int64_t patch_length(const Patches& patches, std::int64_t channels) {
  return static_cast<std::int64_t>(patches.taps.size()) * channels;
}

/// Floats of the packed weights of all groups (and phases of the stride).
std::int64_t packed_floats(const Packing& packing, Conv2dPass pass, const Conv2dShape& shape);

/// The passes; `packed` holds packed_floats().
void forward(ExecContext& context, const IsaKernels& kernels, const Packing& packing,
             Multiply multiply, const Conv2dShape& shape, const float* x, const float* packed,
             const Epilogue& epilogue, float* y);
void backward_data(ExecContext& context, const IsaKernels& kernels, const Packing& packing,
                   Multiply multiply, const Conv2dShape& shape, const float* dy,
                   const float* packed, float* dx);

/// Workspace of the forward pass: the moments of its blocks.
std::size_t moments_bytes(const Conv2dShape& shape);

/// Backward data packs one phase of the stride after the other.
bool packs_by_window(Conv2dPass pass, const Conv2dShape& shape);

}  // namespace hanok::cpu::implicit_gemm
