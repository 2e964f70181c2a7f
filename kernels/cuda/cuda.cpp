#include "kernels/cuda/cuda.h"

#include <string>

#include "kernels/base/error.h"

namespace hanok::cuda {

void check(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();  // this error is ours now; what comes next starts clean
    std::size_t free_bytes = 0;
    std::size_t total_bytes = 0;
    cudaMemGetInfo(&free_bytes, &total_bytes);
    throw OutOfMemory(0, total_bytes - free_bytes, total_bytes);
  }
  throw DeviceError(std::string(what) + ": " + cudaGetErrorName(status) + " (" +
                    cudaGetErrorString(status) + ")");
}

}  // namespace hanok::cuda
