// In test_kernels_cuda: the GPU's backend with hanok's own products and convolutions.
#include "hanok/kernels/cuda/runtime/cuda_backend.h"
#include "tests/cuda/kernels/staging_backend.h"
#include "tests/kernels/kernel_context.h"

namespace hanok::test {

std::vector<std::shared_ptr<Backend>> testable_backends() {
  cuda::BackendParts parts;
  parts.name = "cuda";
  parts.product = cuda::make_own_product();
  parts.convolution = cuda::make_own_convolution();
  return {stage(cuda::make_backend(std::move(parts)))};
}

}  // namespace hanok::test
