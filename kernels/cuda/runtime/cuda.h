// The only include of CUDA's runtime header, and the translation of its errors.
#pragma once

#include <cuda_runtime.h>

#include "hanok/kernels/exec_context.h"

namespace hanok::cuda {

/// Throws OutOfMemory for cudaErrorMemoryAllocation and DeviceError for every other failure; the
/// message contains `what`, CUDA's name of the error and its explanation. Only errors that broke
/// the device are reported again by later calls.
void check(cudaError_t status, const char* what);

/// Whether work on the stream is being captured.
bool is_capturing(cudaStream_t stream);

inline cudaStream_t stream_of(const ExecContext& context) {
  return static_cast<cudaStream_t>(context.stream);
}

}  // namespace hanok::cuda
