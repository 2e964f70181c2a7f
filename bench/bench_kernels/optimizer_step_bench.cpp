#include "bench/bench_kernels/memory_bound.h"

namespace hanok::bench {
namespace {

/// ResNet18's 11.7 million parameters in tensors of its usual sizes.
struct Parameters {
  Parameters() {
    for (const std::int64_t size : {9408, 36864, 73728, 147456, 294912, 589824, 1179648, 2359296}) {
      for (int copy = 0; copy < (size == 2359296 ? 4 : 1); ++copy) {
        for (int tensor = 0; tensor < 4; ++tensor) {
          buffers.emplace_back(Shape{size}, tensor == 3 ? 1.0F : 0.0F);
        }
        total += size;
      }
    }
    for (std::size_t i = 0; i < buffers.size(); i += 4) {
      slots.push_back(
          {buffers[i].view(), buffers[i + 1].view(), buffers[i + 2].view(), buffers[i + 3].view()});
    }
  }
  std::vector<Buffer> buffers;
  std::vector<OptimizerSlot> slots;
  std::int64_t total = 0;
};

constexpr float kLearningRate = 1e-3F;
constexpr std::int64_t kStep = 100;

/// Reads parameter, gradient and moments, writes all but the gradient.
void adamw_step(benchmark::State& state) {
  Parameters parameters;
  AdamStep step;
  step.learning_rate = {&kLearningRate, DType::F32, Shape{1}};
  step.step = {&kStep, DType::I64, Shape{1}};
  step.weight_decay = 0.01;
  step.decoupled = true;
  step.slots = parameters.slots;
  run(state, bytes_of({parameters.total}, 7),
      [&](Backend& backend, ExecContext& context) { backend.run(context, step); });
}

void sgd_momentum_step(benchmark::State& state) {
  Parameters parameters;
  SgdStep step;
  step.learning_rate = {&kLearningRate, DType::F32, Shape{1}};
  step.step = {&kStep, DType::I64, Shape{1}};
  step.momentum = 0.9;
  step.slots = parameters.slots;
  run(state, bytes_of({parameters.total}, 5),
      [&](Backend& backend, ExecContext& context) { backend.run(context, step); });
}

BENCHMARK(adamw_step)->UseRealTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(sgd_momentum_step)->UseRealTime()->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace hanok::bench
