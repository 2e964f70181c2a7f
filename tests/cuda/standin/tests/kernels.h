// Kernels of one thread with which the stand-in's own tests tell what ran, in which order, where.
#pragma once

#include <cstdint>
#include <cuda_runtime.h>

namespace hanok::standin::testing {

/// x[index] = value, wherever that is.
void write(float* x, std::int64_t index, float value, cudaStream_t stream);
/// *x = factor * *x + summand: two of them give different numbers in different order.
void affine(float* x, float factor, float summand, cudaStream_t stream);

}  // namespace hanok::standin::testing
