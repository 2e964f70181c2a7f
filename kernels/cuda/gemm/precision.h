// Whether f32 products and convolutions may trade precision for speed.
#pragma once

namespace hanok::cuda {

/// TF32 (sm_80 and newer) rounds the factors of f32 products to 10 bits of mantissa and sums in
/// f32: up to eight times the speed, relative errors near 1e-3. Off unless HANOK_TF32=1 or
/// allow_tf32(true). Process-wide; used only by cuBLAS's products and cuDNN's convolutions.
bool tf32_allowed();
void allow_tf32(bool allowed);

}  // namespace hanok::cuda
