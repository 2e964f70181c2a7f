// What a training step keeps for its backward pass.
#include <cstdint>
#include <gtest/gtest.h>
#include <vector>

#include "hanok/engine/allocator.h"
#include "hanok/engine/generator.h"
#include "hanok/engine/ops.h"
#include "hanok/engine/precision.h"
#include "hanok/nn/models/registry.h"

namespace hanok::nn {
namespace {

struct Memory {
  double kept;  // after the forward pass
  double peak;  // of the whole step, beyond the parameters
};

Memory memory_of_step(Precision precision) {
  const PrecisionScope scope(precision);
  Generator::global().set_seed(1);
  const std::unique_ptr<Module> net = make_model("resnet18", 4);
  Generator generator(2);
  const Tensor x = random_normal({8, 3, 160, 160}, 0, 1, generator);
  const Tensor labels = Tensor::from_vector(std::vector<std::int64_t>(8, 1), {8});
  Allocator& allocator = allocator_of(Device::cpu());
  const auto step = [&](std::size_t& kept) {
    const Tensor loss = ops::cross_entropy((*net)(x), labels);
    kept = allocator.statistics().in_use;
    loss.backward();
  };
  std::size_t kept = 0;
  step(kept);  // scratch memory and gradients are allocated once
  const std::size_t before = allocator.statistics().in_use;
  allocator.reset_peak();
  step(kept);
  return {static_cast<double>(kept - before),
          static_cast<double>(allocator.statistics().peak - before)};
}

TEST(KeptActivations, OfIntegersTakeLessThanAThird) {
  const Memory floats = memory_of_step(Precision::F32);
  const Memory integers = memory_of_step(Precision::Int16);
  EXPECT_LT(integers.kept, 0.31 * floats.kept);
  EXPECT_LT(integers.peak, 0.56 * floats.peak);
  RecordProperty("kept", std::to_string(integers.kept / floats.kept));
  RecordProperty("peak", std::to_string(integers.peak / floats.peak));
}

}  // namespace
}  // namespace hanok::nn
