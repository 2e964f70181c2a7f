// Kernel launches and dynamic shared memory behind plain functions, so that the same source is CUDA
// under nvcc and C++ under the emulator (where every thread of a block is a fiber).
#pragma once

#include <cstddef>

#include "hanok/kernels/cuda/runtime/cuda.h"

#ifdef __CUDACC__

namespace hanok::cuda {

/// kernel<<<grid, block, shared_bytes, stream>>>(args...), each argument converted to the kernel's
/// parameter type. Throws DeviceError if the launch fails.
template <typename... Parameters, typename... Arguments>
void launch(void (*kernel)(Parameters...), dim3 grid, dim3 block, std::size_t shared_bytes,
            cudaStream_t stream, Arguments... arguments) {
  kernel<<<grid, block, shared_bytes, stream>>>(static_cast<Parameters>(arguments)...);
  check(cudaGetLastError(), "kernel launch");
}

/// The block's dynamic shared memory: the `shared_bytes` of its launch, aligned to 16 bytes.
template <typename T>
__device__ T* dynamic_shared() {
  extern __shared__ __align__(16) unsigned char hanok_dynamic_shared[];
  return reinterpret_cast<T*>(hanok_dynamic_shared);
}

}  // namespace hanok::cuda

#else
#include <hanok_emulated_launch.h>  // tests/cuda/emulator
#endif
