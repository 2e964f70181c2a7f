// A counter in device memory.
#pragma once

#include <cstdint>

#include "hanok/kernels/cuda/runtime/cuda.h"

namespace hanok::cuda {

/// *counter += 1, on the stream; unless `skip` (may be null) is not 0.
void count_up(std::int64_t* counter, const float* skip, cudaStream_t stream);

}  // namespace hanok::cuda
