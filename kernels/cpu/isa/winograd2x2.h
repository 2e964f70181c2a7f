// The instruction-set-dependent pieces of Winograd convolution F(2x2, 3x3), as one table per path.
// The schedule is in kernels/cpu/conv2d/winograd2x2.cpp.
#pragma once

#include <stdint.h>

#include "hanok/kernels/cpu/isa/winograd4x4.h"

namespace hanok::cpu {

constexpr int64_t kWinograd2Tile = 2;     // outputs of a tile along each axis
constexpr int64_t kWinograd2Input = 4;    // inputs that they read
constexpr int64_t kWinograd2Points = 16;  // products per channel pair and tile

// Channels are multiples of kWinogradChannels everywhere.
struct Winograd2x2Kernels {
  // B^T d B of the 4x4 pixels from (h - pad_h, w - pad_w) of a tile -> 16 points.
  void (*input_transform)(const WinogradInputBlock& block);
  void (*output_transform)(const WinogradOutputBlock& block);
  // One panel of `columns` <= 16 filters of w [K,3,3,channels], from its first filter on
  // -> out[point][channel][16], points winograd_point_floats(channels) apart.
  void (*pack)(const float* w, int64_t channels, int64_t columns, float* out);
};

}  // namespace hanok::cpu
