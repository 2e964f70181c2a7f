// What a program without CUDA links in place of kernels/cuda.
#include "hanok/kernels/cuda_runtime.h"

namespace hanok {

CudaRuntime* cuda_runtime() { return nullptr; }

}  // namespace hanok
