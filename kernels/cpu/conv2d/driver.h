// A convolution algorithm as the rest of the engine sees it: a driver. Each is one file of this
// folder (or a header, the passes and the weight gradient), which ends in its Conv2dDriver, and one
// row of the table in driver.cpp. choose.cpp chooses among them.
#pragma once

#include <cstddef>

#include "hanok/kernels/backend.h"
#include "hanok/kernels/cpu/conv2d/choose.h"
#include "hanok/kernels/cpu/isa.h"

namespace hanok::cpu {

/// The weights of a forward or backward-data pass.
struct Conv2dWeights {
  const float* plain = nullptr;   // [K,R,S,C/groups]
  const float* packed = nullptr;  // as the driver's `pack` wrote them; null: not packed
};

/// Functions that an algorithm does not need are null. Pointers are f32, images are NHWC.
struct Conv2dDriver {
  /// In profiles, choices files and reports.
  const char* name = nullptr;
  /// Whether it can compute convolutions of these sizes, fast or not, in the passes that it has.
  bool (*fits)(const Conv2dShape& shape) = nullptr;

  // ---- weights in an order of its own, for Forward and BackwardData ----

  /// Null: the weights are read as they are.
  std::size_t (*packed_bytes)(Conv2dPass pass, const Conv2dShape& shape) = nullptr;
  void (*pack)(ExecContext& context, const IsaKernels& kernels, Conv2dPass pass,
               const Conv2dShape& shape, const float* w, float* packed) = nullptr;
  /// Whether a call whose weights are not packed reads them as they are. Null or false: they are
  /// packed for that call.
  bool (*reads_plain)(Conv2dPass pass, const Conv2dShape& shape) = nullptr;
  /// Whether the order of packed weights depends on stride, padding or dilation. Null: never.
  bool (*packs_by_window)(Conv2dPass pass, const Conv2dShape& shape) = nullptr;

  // ---- the passes; null: unsupported ----

  /// Bytes that a pass takes from the workspace besides packed weights. Null: none.
  std::size_t (*workspace_bytes)(Conv2dPass pass, const Conv2dShape& shape) = nullptr;
  void (*forward)(ExecContext& context, const IsaKernels& kernels, const Conv2dShape& shape,
                  const float* x, const Conv2dWeights& w, const Epilogue& epilogue,
                  float* y) = nullptr;
  /// Whether `forward` can store bf16: at epilogue.bf16, y is null.
  bool stores_bf16 = false;
  void (*backward_data)(ExecContext& context, const IsaKernels& kernels, const Conv2dShape& shape,
                        const float* dy, const Conv2dWeights& w, float* dx) = nullptr;
  void (*backward_weights)(ExecContext& context, const IsaKernels& kernels,
                           const Conv2dShape& shape, const float* x, const float* dy,
                           float* dw) = nullptr;
};

const Conv2dDriver& driver_of(Conv2dAlgorithm algorithm);

}  // namespace hanok::cpu
