// One thread adds one. The launch dominates the cost (some microseconds, about one in a graph). The
// host could write the number for less, but a graph replays the recorded value.
#include "hanok/kernels/cuda/ops/counter.h"
#include "hanok/kernels/cuda/runtime/launch.h"

namespace hanok::cuda {
namespace {

__global__ void count_up_kernel(std::int64_t* counter, const float* skip) {
  if (skip == nullptr || *skip == 0.0F) ++*counter;
}

}  // namespace

void count_up(std::int64_t* counter, const float* skip, cudaStream_t stream) {
  launch(count_up_kernel, dim3(1), dim3(1), 0, stream, counter, skip);
}

}  // namespace hanok::cuda
