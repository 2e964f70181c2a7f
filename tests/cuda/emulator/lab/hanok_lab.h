// Included before the user's file in the lab. `kernel<<<grid, block, bytes, stream>>>(arguments)`
// is rewritten to `::hanok::lab::Launcher(kernel, grid, block, bytes, stream)(arguments)`, and
// `extern __shared__ float tile[];` to `auto* tile = ::hanok::cuda::dynamic_shared<float>();`.
#pragma once

#include <cuda_runtime.h>
#include <hanok_emulated_launch.h>

namespace hanok::lab {

template <typename... Parameters>
class Launcher {
 public:
  Launcher(void (*kernel)(Parameters...), dim3 grid, dim3 block, std::size_t shared_bytes = 0,
           cudaStream_t stream = nullptr)
      : kernel_(kernel), grid_(grid), block_(block), bytes_(shared_bytes), stream_(stream) {}
  template <typename... Arguments>
  void operator()(Arguments... arguments) const {
    cuda::launch(kernel_, grid_, block_, bytes_, stream_, arguments...);
  }

 private:
  void (*kernel_)(Parameters...);
  dim3 grid_, block_;
  std::size_t bytes_;
  cudaStream_t stream_;
};

}  // namespace hanok::lab
