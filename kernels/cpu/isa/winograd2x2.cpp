// Winograd's minimal filtering F(2x2, 3x3): 4 outputs of a 3x3 convolution from 16 products instead
// of 36. Like F(4x4, 3x3) (winograd4x4.cpp) with the points 0, 1, -1 and infinity; B and A need
// additions only, and the error is that of the direct algorithm.
#include "hanok/kernels/cpu/isa/winograd2x2.h"

#include "hanok/kernels/cpu/isa/isa_kernels.h"
#include "hanok/kernels/cpu/isa/winograd_transforms.h"

namespace hanok::cpu::HANOK_ISA {
namespace {

constexpr int kT = kWinograd2Tile;
constexpr int kD = kWinograd2Input;

// The maps:
//
//   B^T = [1  0 -1  0]   G = [1    0    0 ]   A^T = [1  1  1  0]
//         [0  1  1  0]       [1/2  1/2 1/2]         [0  1 -1  1]
//         [0 -1  1  0]       [1/2 -1/2 1/2]
//         [0 -1  0  1]       [0    0    1 ]
//
// s and t: distance between consecutive elements of what is read and written.

// B^T d: 4 -> 4.
inline void map_input2(const Vec* d, int s, Vec* out, int t) {
  out[0] = d[0] - d[2 * s];
  out[t] = d[s] + d[2 * s];
  out[2 * t] = d[2 * s] - d[s];
  out[3 * t] = d[3 * s] - d[s];
}

// A^T m: 4 -> 2.
inline void map_output2(const Vec* m, int s, Vec* out, int t) {
  out[0] = m[0] + (m[s] + m[2 * s]);
  out[t] = (m[s] - m[2 * s]) + m[3 * s];
}

// G g: 3 -> 4.
inline void map_filter2(const Vec* g, int s, Vec* out, int t) {
  const Vec even = g[0] + g[2 * s];
  out[0] = g[0];
  out[t] = broadcast(0.5F) * (even + g[s]);
  out[2 * t] = broadcast(0.5F) * (even - g[s]);
  out[3 * t] = g[2 * s];
}

void input_transform(const WinogradInputBlock& b) {
  transform_tiles<kD, kD, map_input2>(b, b.pad_h, b.pad_w);
}

void output_transform(const WinogradOutputBlock& b) { output_tiles<kT, kD, map_output2>(b); }

void pack(const float* w, int64_t channels, int64_t columns, float* out) {
  pack_filters<kD, map_filter2>(w, channels, channels, columns, out);
}

}  // namespace

const Winograd2x2Kernels winograd2x2 = {input_transform, output_transform, pack};

}  // namespace hanok::cpu::HANOK_ISA
