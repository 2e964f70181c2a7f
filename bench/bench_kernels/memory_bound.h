// Shared by the benches of memory-bound primitives: the backend with all of the machine's threads,
// and operands of ResNet18's sizes.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "bench/bench_kernels/bench_context.h"
#include "bench/bench_kernels/roofline.h"
#include "hanok/kernels/backend.h"
#include "hanok/kernels/cpu/cpu_backend.h"

namespace hanok::bench {

inline Backend& backend() {
  static const std::unique_ptr<Backend> instance = cpu::make_backend(cpu::choose_isa());
  return *instance;
}

inline BenchContext& context() {
  static BenchContext instance(static_cast<int>(std::max(1U, std::thread::hardware_concurrency())));
  return instance;
}

/// An f32 operand filled with numbers in [-1, 1) + offset.
class Buffer {
 public:
  explicit Buffer(const Shape& shape, float offset = 0) : shape_(shape) {
    // A cheap generator, since hundreds of MiB are filled for each case.
    std::uint32_t sequence = 1;
    data_.resize(static_cast<std::size_t>(shape.numel()));
    for (float& value : data_) {
      sequence = sequence * 1664525U + 1013904223U;
      value = static_cast<float>(sequence >> 8) * 0x1p-23F - 1.0F + offset;
    }
  }
  View view() { return {data_.data(), DType::F32, shape_}; }

 private:
  Shape shape_;
  std::vector<float> data_;
};

/// Measures work(backend, context), which moves `bytes`: each operand counts once for each read and
/// write that the algorithm requires.
inline void run(benchmark::State& state, double bytes,
                const std::function<void(Backend&, ExecContext&)>& work) {
  run_memory_bound(state, context().pool, bytes, [&] { work(backend(), context().exec); });
}

/// Bytes of `tensors` f32 tensors of this shape.
inline double bytes_of(const Shape& shape, int tensors) {
  return 4.0 * static_cast<double>(shape.numel()) * tensors;
}

/// Activations of ResNet18 at batch 32: after the stem, layer1, layer4.
inline Shape resnet_activation(std::int64_t number) {
  const Shape shapes[] = {{32, 64, 112, 112}, {32, 64, 56, 56}, {32, 512, 7, 7}};
  return shapes[number];
}

}  // namespace hanok::bench
