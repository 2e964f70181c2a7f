// A counter in device memory.
#pragma once

#include <cstdint>

#include "kernels/cuda/cuda.h"

namespace hanok::cuda {

/// *counter += 1, on the stream.
void count_up(std::int64_t* counter, cudaStream_t stream);

}  // namespace hanok::cuda
