// Whether f32 products and convolutions may trade bits for speed.
#pragma once

namespace hanok::cuda {

/// TF32 (sm_80 and newer) rounds the factors of f32 products to 10 bits of mantissa and sums in
/// f32: up to eight times the speed, relative errors near 1e-3. Off unless HANOK_TF32=1 or
/// allow_tf32(true). For the whole process; consulted by cuBLAS's products and cuDNN's
/// convolutions only.
bool tf32_allowed();
void allow_tf32(bool allowed);

}  // namespace hanok::cuda
