// Which algorithm computes a convolution on the CPU, and in which schedule: pure functions of the
// pass and the sizes, so that results never depend on a measurement (unless the user requests it:
// choices.h).
#pragma once

#include <string>
#include <vector>

#include "hanok/kernels/backend.h"
#include "hanok/kernels/conv2d.h"

#pragma GCC visibility push(default)
namespace hanok {

enum class Conv2dAlgorithm {
  ImplicitGemm,     // the patch matrix is gathered block by block and multiplied: always possible
  FewChannels,      // the same product over an image of up to 4 channels, without gathering
  Winograd4x4,      // F(4x4, 3x3): a quarter of the multiplications, for 3x3 with stride 1
  Winograd2x2,      // F(2x2, 3x3), for 3x3 with stride 1, many channels and few pixels
  WinogradStrided,  // F(4x4, 2x2) over the phases of the image, for 3x3 with stride 2
  WinogradStem,     // F(3x3, 4x4) over cells of 2x2 pixels, for 7x7 with stride 2 over few channels
  Depthwise,        // one or more filters for each channel alone
  Winograd4x4Int16,   // Winograd4x4 with products of 16-bit integers, where the shape allows them
  ImplicitGemmInt16,  // ImplicitGemm likewise
  WinogradStridedInt16,  // WinogradStrided likewise
  Winograd2x2Int16,      // Winograd2x2 likewise
};
inline constexpr Conv2dAlgorithm kLastConv2dAlgorithm = Conv2dAlgorithm::Winograd2x2Int16;

/// Images count as shape.nominal_n where that is given, as shape.n otherwise.
Conv2dAlgorithm choose_conv2d(Conv2dPass pass, const Conv2dShape& shape);

/// The order of an algorithm's work, where it has several. All schedules of an algorithm give the
/// same bits.
enum class Conv2dSchedule {
  Only,     // there is one
  Fused,    // some tiles at a time take all steps: all between x and y stays in L2
  Staged,   // all tiles of a block take one step, then the next one
  Panels,   // like Staged, but each 16 output channels transform their weights on the way
  Sliding,  // a 3x3 window slides along whole rows
  ByTap,    // runs of pixels with the same taps
};

/// `packed`: whether the call brings packed weights, as evaluation does. Training changes the
/// weights at every step and brings none.
enum class WeightsAre { Plain, Packed };

Conv2dSchedule choose_schedule(Conv2dAlgorithm algorithm, Conv2dPass pass, const Conv2dShape& shape,
                               WeightsAre weights);

/// Both choices for reports: "implicit_gemm", "winograd4x4 (staged)".
std::string describe_conv2d(Conv2dPass pass, const Conv2dShape& shape, WeightsAre weights);

/// Every algorithm, in the order of the enumeration.
const std::vector<Conv2dAlgorithm>& conv2d_algorithms();

/// Whether the algorithm can compute this pass, fast or not.
bool can_compute(Conv2dAlgorithm algorithm, Conv2dPass pass, const Conv2dShape& shape);

/// "implicit_gemm", "few_channels", "winograd4x4", "winograd2x2", "winograd_strided",
/// "winograd_stem", "depthwise", "winograd4x4_int16", "implicit_gemm_int16",
/// "winograd_strided_int16", "winograd2x2_int16"
const char* name_of(Conv2dAlgorithm algorithm);

}  // namespace hanok
#pragma GCC visibility pop
