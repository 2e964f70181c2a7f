// The one place that brings in CUDA's own runtime header, and the translation of its errors into
// ours.
#pragma once

#include <cuda_runtime.h>

#include "hanok/kernels/exec_context.h"

namespace hanok::cuda {

/// Throws OutOfMemory for cudaErrorMemoryAllocation and DeviceError for every other failure; the
/// message holds `what`, CUDA's name of the error and its explanation. Only errors that broke the
/// device are told again by later calls.
void check(cudaError_t status, const char* what);

/// Whether what is put on the stream is being recorded.
bool is_capturing(cudaStream_t stream);

inline cudaStream_t stream_of(const ExecContext& context) {
  return static_cast<cudaStream_t>(context.stream);
}

}  // namespace hanok::cuda
