// launch() and dynamic_shared() of kernels/cuda/runtime/launch.h for sources compiled as C++: a
// launch is packaged and passed to the emulator, immediately or in the order of its stream.
#pragma once

#include <cstddef>
#include <cuda_runtime.h>
#include <hanok_emulator.h>
#include <memory>
#include <tuple>

namespace hanok::cuda {

template <typename... Parameters, typename... Arguments>
void launch(void (*kernel)(Parameters...), dim3 grid, dim3 block, std::size_t shared_bytes,
            cudaStream_t stream, Arguments... arguments) {
  static_assert((sizeof(Parameters) + ... + 0U) <= 4096,
                "a kernel takes at most 4 KB of arguments");
  struct Call {
    void (*kernel)(Parameters...);
    std::tuple<Parameters...> arguments;
  };
  const auto call =
      std::make_shared<const Call>(Call{kernel, {static_cast<Parameters>(arguments)...}});
  emulator::Launch packed;
  packed.kernel = reinterpret_cast<const void*>(kernel);
  packed.grid = grid;
  packed.block = block;
  packed.shared_bytes = shared_bytes;
  packed.call = call;
  packed.call_bytes = sizeof(Call);
  packed.run = [](const void* opaque) {
    const Call& unpacked = *static_cast<const Call*>(opaque);
    std::apply(unpacked.kernel, unpacked.arguments);
  };
  emulator::submit(std::move(packed), stream);
}

template <typename T>
T* dynamic_shared() {
  return static_cast<T*>(emulator::dynamic_shared_memory());
}

}  // namespace hanok::cuda
