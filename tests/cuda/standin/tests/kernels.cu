#include "hanok/kernels/cuda/runtime/launch.h"
#include "tests/cuda/standin/tests/kernels.h"

namespace hanok::standin::testing {
namespace {

__global__ void write_kernel(float* x, std::int64_t index, float value) { x[index] = value; }
__global__ void affine_kernel(float* x, float factor, float summand) { *x = factor * *x + summand; }

}  // namespace

void write(float* x, std::int64_t index, float value, cudaStream_t stream) {
  cuda::launch(write_kernel, 1, 1, 0, stream, x, index, value);
}
void affine(float* x, float factor, float summand, cudaStream_t stream) {
  cuda::launch(affine_kernel, 1, 1, 0, stream, x, factor, summand);
}

}  // namespace hanok::standin::testing
